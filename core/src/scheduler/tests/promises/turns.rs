//! Turns: everybody's comes, within a bounded time, in the order of deadlines, and a blocked head's as promised.

use super::super::world::{Dice, Job, World, at, config, lane, tenant, waiting};
use super::{Make, Watched, fast};
use crate::config::Pacing;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::tests::world::Decides;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn job(number: u64, arrives: u64, priority: Priority, who: &str, size: u64, lasts: u64) -> Job {
    let mut one = waiting(number, arrives, priority, size);
    one.tenant = tenant(who);
    Job {
        waiting: one,
        charged: size,
        actual: size,
        lasts,
    }
}

/// A crowd of tenants, some with a cap, and one more who comes among them with one request.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    size: u64,
    each: u64,
    tenants: u64,
    cap: u32,
    band: usize,
    comes: u64,
}

pub(super) fn crowd() -> impl Strategy<Value = Crowd> {
    (200u64..2_000, 1u64..6, 1u64..12, 1u32..3, 0usize..3, 0u64..30_000).prop_map(
        |(size, each, tenants, cap, band, comes)| Crowd {
            size,
            each,
            tenants,
            cap,
            band,
            comes,
        },
    )
}

impl Crowd {
    /// Nobody waits longer than it takes to serve everybody of its band once, at the band's share; everything goes in
    /// the end, and no cap is passed.
    pub(super) fn holds<S: Decides>(&self, make: Make<S>) -> Result<(), String> {
        let mut config = config(lane(60_000, None, Pacing::Bucket { seconds: 10 }));
        let mut jobs = Vec::new();
        for (band, priority) in Priority::ALL.into_iter().enumerate() {
            for who in 0..self.tenants {
                let name = format!("b{band}t{who}");
                if who % 3 == 1 {
                    config.caps.insert(tenant(&name), self.cap);
                }
                let first = band as u64 * 100_000 + who * 1_000;
                // Large ones that turn out cheap make room for many small ones at once.
                let size = if who % 2 == 0 { self.size } else { 4 * self.size };
                jobs.extend((0..self.each).map(|n| Job {
                    actual: size / 4,
                    ..job(first + n, 0, priority, &name, size, 1_500)
                }));
            }
        }
        let last = jobs.len();
        let priority = Priority::ALL[self.band];
        jobs.push(job(999_999, self.comes, priority, "late", self.size, 1_500));
        let watched = Watched::new(make(config.clone()), &config);
        let mut world = World::of(watched, &config, Kind::Bucket(10), jobs);
        world.run_until(self.comes + 4 * 3_600_000);
        if let Some(broken) = world.scheduler.broken {
            return Err(broken);
        }
        if let Some(stuck) = world.fates.iter().position(|fate| fate.completed.is_none()) {
            return Err(format!("{:?} never goes", world.jobs[stuck].waiting));
        }
        let share = [70, 25, 5][self.band];
        // Two of each: one whose turn is before, and one that was let go in advance.
        let round = 2 * (self.tenants + 1) * 4 * self.size * 100 / share;
        let waited = world.fates[last].released.unwrap() - self.comes;
        let most = 5_000 + round * 60_000 / 60_000;
        if waited > most {
            return Err(format!("the late one waited {waited} ms, more than {most}"));
        }
        Ok(())
    }
}

/// Calls of one size, at most one a second, of one tenant, with deadlines that a plan by seconds can meet.
pub(super) fn deadlines_hold<S: Decides>(seed: u64, make: Make<S>) -> Result<(), String> {
    let config = config(lane(60_000, None, Pacing::Bucket { seconds: 1 }));
    let mut dice = Dice(seed);
    let (mut taken, mut jobs) = (BTreeSet::new(), Vec::new());
    for number in 0..120 {
        let arrival = dice.below(100);
        let mut second = arrival + dice.below(20);
        while !taken.insert(second) {
            second += 1;
        }
        let mut one = job(number, arrival * 1_000, Priority::Normal, "a", 980, 1);
        one.waiting.deadline = Some(at((second + dice.below(3)) * 1_000 + 1_000));
        jobs.push(one);
    }
    let mut world = World::of(make(config.clone()), &config, Kind::Bucket(1), jobs);
    world.run();
    let missed = world.fates.iter().filter(|fate| fate.completed.is_none()).count();
    if missed > 0 {
        return Err(format!("{missed} deadlines were missed, and none had to be"));
    }
    Ok(())
}

/// A large request that has to wait, and small ones of others that come meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Blocked {
    used: u64,
    head: u64,
    small: Vec<(u64, u64, u8)>,
    pacing: Pacing,
}

pub(super) fn blocked() -> impl Strategy<Value = Blocked> {
    let small = prop::collection::vec((1u64..6_000, 0u64..9_000, 0u8..4), 1..40);
    let pacing = prop_oneof![
        Just(Pacing::Auto),
        Just(Pacing::Window),
        Just(Pacing::Bucket { seconds: 10 })
    ];
    (1_000u64..9_000, 5_000u64..60_000, small, pacing).prop_map(|(used, head, small, pacing)| Blocked {
        used,
        head,
        small,
        pacing,
    })
}

impl Blocked {
    /// When the large one goes, with the small ones or without them.
    fn goes<S: Decides>(&self, make: Make<S>, small: &[(u64, u64, u8)]) -> Option<u64> {
        let config = config(lane(60_000, None, self.pacing));
        let mut jobs = vec![
            job(1, 0, Priority::Normal, "first", self.used, 10_000_000),
            job(2, 0, Priority::Normal, "large", self.head, 10_000_000),
        ];
        for (number, (size, arrives, who)) in small.iter().enumerate() {
            let name = format!("t{who}");
            jobs.push(job(
                10 + number as u64,
                1 + arrives,
                Priority::Normal,
                &name,
                *size,
                10_000_000,
            ));
        }
        let mut world = World::of(make(config.clone()), &config, Kind::Bucket(60), jobs);
        world.claim_takes = 0;
        world.run_until(180_000);
        world.fates[1].released
    }

    /// It goes no later for their being there.
    pub(super) fn holds<S: Decides>(&self, make: Make<S>) -> Result<(), String> {
        let (alone, beside) = (self.goes(make, &[]), self.goes(make, &self.small));
        let Some(promised) = alone else {
            return Err("it never goes".to_owned());
        };
        match beside {
            Some(went) if went <= promised => Ok(()),
            _ => Err(format!("promised for {promised}, it goes at {beside:?}")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn everybodys_turn_comes(crowd in crowd()) {
        crowd.holds(&fast).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn feasible_deadlines_are_met(seed in any::<u64>()) {
        deadlines_hold(seed, &fast).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_promise_is_kept_whoever_goes_meanwhile(blocked in blocked()) {
        blocked.holds(&fast).map_err(TestCaseError::fail)?;
    }
}
