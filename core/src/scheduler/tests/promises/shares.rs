//! Shares: each band and each tenant that has something waiting gets its weight, over any ten minutes.

use super::super::world::{Job, World, config, lane, tenant, waiting};
use super::{Make, Watched, fast};
use crate::config::{Pacing, PriorityWeights};
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::SchedulerConfig;
use crate::scheduler::tests::world::{Decides, at};
use crate::units::Tokens;
use proptest::prelude::*;

const QUOTA: u64 = 60_000;
const TEN_MINUTES: u64 = 600_000;
/// They come one after the other, and the first finds a full bucket and nobody else. What it is served then is known
/// to have cost more than expected when the others are there, and is made up for within so long.
const MADE_UP: u64 = 60_000;

/// Somebody who always has something waiting.
#[derive(Debug, Clone)]
pub(super) struct Member {
    weight: u32,
    size: u64,
    /// What a call is expected to cost, and what it does cost, in percent of its size.
    expected: u64,
    actual: u64,
}

/// Who shares, bands or tenants of one band; the first comes later than the others, and the last has deadlines.
#[derive(Debug, Clone)]
pub(super) struct Sharing {
    members: Vec<Member>,
    by_band: bool,
    first_comes_at: u64,
    urgent: bool,
}

fn member() -> impl Strategy<Value = Member> {
    (1u32..4, 600u64..1_200, 20u64..100, 60u64..100).prop_map(|(weight, size, expected, actual)| Member {
        weight,
        size,
        expected,
        actual,
    })
}

pub(super) fn sharing() -> impl Strategy<Value = Sharing> {
    let late = prop_oneof![Just(0u64), 60_000u64..240_000];
    let members = prop::collection::vec(member(), 3);
    (members, any::<bool>(), late, any::<bool>()).prop_map(|(members, by_band, first_comes_at, urgent)| {
        Sharing {
            members,
            by_band,
            first_comes_at,
            urgent,
        }
    })
}

impl Sharing {
    fn config(&self) -> SchedulerConfig {
        let mut config = config(lane(QUOTA, None, Pacing::Bucket { seconds: 10 }));
        let weight = |index: usize| self.members[index].weight;
        if self.by_band {
            config.priorities = PriorityWeights::new(weight(0), weight(1), weight(2)).unwrap();
        } else {
            config.tenants = (0..3)
                .map(|index| (tenant(&format!("t{index}")), weight(index)))
                .collect();
        }
        config
    }

    /// What a member may have of the quota, in percent.
    fn share(&self, index: usize) -> u64 {
        let all: u32 = self.members.iter().map(|member| member.weight).sum();
        u64::from(100 * self.members[index].weight / all)
    }

    fn job(&self, index: usize, number: u64, arrives: u64) -> Job {
        let member = &self.members[index];
        let priority = if self.by_band {
            Priority::ALL[index]
        } else {
            Priority::Normal
        };
        let mut one = waiting(number, arrives, priority, member.size);
        one.tenant = tenant(&format!("t{index}"));
        one.expected = Tokens::new((member.size * member.expected / 100).max(1));
        Job {
            waiting: one,
            charged: member.size,
            actual: (member.size * member.actual / 100).max(1),
            lasts: 1_000,
        }
    }

    fn begins(&self) -> u64 {
        self.first_comes_at + MADE_UP
    }

    fn ends(&self) -> u64 {
        self.begins() + TEN_MINUTES
    }

    /// More than the member can be served until the end, all there when it comes.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for index in 0..3 {
            let comes = if index == 0 { self.first_comes_at } else { 0 };
            let alone = 10 * QUOTA * self.ends() / TEN_MINUTES;
            let cost = (self.members[index].size * self.members[index].actual / 100).max(1);
            let count = alone * (self.share(index) + 30) / 100 / cost;
            jobs.extend((0..count).map(|number| self.job(index, 1_000_000 * index as u64 + number, comes)));
        }
        if self.urgent {
            // Twice what its share allows it, each in a hurry.
            let apart = 60_000 * self.members[2].size * self.members[2].actual / (QUOTA * self.share(2) * 2);
            let all = (1..self.ends() / apart.max(50)).map(|number| number * apart.max(50));
            jobs.extend(all.map(|arrives| {
                let mut job = self.job(2, 9_000_000 + arrives, arrives);
                job.waiting.deadline = Some(at(arrives + 10_000));
                job
            }));
        }
        jobs
    }

    /// Over ten minutes in which all are there each gets its weight, within 5 %.
    pub(super) fn holds<S: Decides>(&self, make: Make<S>) -> Result<(), String> {
        let config = self.config();
        let watched = Watched::new(make(config.clone()), &config);
        let mut world = World::of(watched, &config, Kind::Bucket(10), self.jobs());
        world.run_until(self.ends());
        if let Some(broken) = world.scheduler.broken {
            return Err(broken);
        }
        let served = |index: usize| -> u64 {
            let all = world.jobs.iter().zip(&world.fates);
            let own = all.filter(|(job, fate)| {
                let since = fate.released.is_some_and(|at| at > self.begins());
                since && fate.completed.is_some() && job.waiting.tenant == tenant(&format!("t{index}"))
            });
            own.map(|(job, _)| job.actual).sum()
        };
        let left = |index: usize| {
            let mut all = world.jobs.iter().zip(&world.fates);
            let name = tenant(&format!("t{index}"));
            all.any(|(job, fate)| fate.released.is_none() && !fate.expired && job.waiting.tenant == name)
        };
        if !(0..3).all(left) {
            return Err("somebody was served all it had, far beyond its share".to_owned());
        }
        let (all, weights) = (
            (0..3).map(served).sum::<u64>(),
            self.members.iter().map(|m| m.weight).sum::<u32>(),
        );
        for index in 0..3 {
            let wanted = all as f64 * f64::from(self.members[index].weight) / f64::from(weights);
            let got = served(index) as f64;
            if (got - wanted).abs() > 0.05 * wanted {
                return Err(format!("member {index} got {got} tokens instead of {wanted:.0}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bands_and_tenants_get_their_weights(sharing in sharing()) {
        sharing.holds(&fast).map_err(TestCaseError::fail)?;
    }
}
