//! Bursts of three times the quota against each kind of limiter.

use super::world::{Dice, Job, World, config, lane, waiting};
use crate::config::Pacing;
use crate::ledger::tests::limiters::{KINDS, Kind};
use crate::request::Priority;
use crate::units::Tokens;

/// 20 % interactive (input ~150, max 256, output ~60), 80 % batch (input ~1,000, max_tokens 4096, output
/// ~300), spread over `over` ms; 300 ms and 8 ms a token; burndown 5.
fn burst(calls: u64, over: u64, seed: u64) -> Vec<Job> {
    let mut dice = Dice(seed);
    let mut jobs: Vec<Job> = (0..calls)
        .map(|number| {
            let arrival = dice.below(over);
            if dice.below(5) == 0 {
                job(&mut dice, number, arrival, Priority::Interactive)
            } else {
                job(&mut dice, number, arrival, Priority::Batch)
            }
        })
        .collect();
    jobs.sort_by_key(|job| job.waiting.arrived_at);
    jobs
}

pub(super) fn job(dice: &mut Dice, number: u64, arrival: u64, priority: Priority) -> Job {
    let (input, max, usual, output) = if priority == Priority::Interactive {
        let output = 30 + dice.exponential(30.0) as u64;
        (100 + dice.below(100), 256, 60, output.min(256))
    } else {
        let output = 5 + dice.exponential(295.0) as u64;
        (500 + dice.below(1_000), 4_096, 300, output.min(4_096))
    };
    let charged = input + max;
    let expected = input + 5 * usual;
    let mut waiting = waiting(number, arrival, priority, charged.max(expected));
    waiting.expected = Tokens::new(expected);
    Job {
        waiting,
        charged,
        actual: input + 5 * output,
        lasts: 300 + 8 * output,
    }
}

#[derive(Debug)]
struct Seen {
    utilisation: f64,
    throttles: u64,
    interactive_p95: u64,
}

/// `way` is the time from a claim to the limiter, in milliseconds.
fn run(calls: u64, quota: u64, kind: Kind, way: u64) -> Seen {
    let seeds = 5;
    let (mut utilisation, mut throttles, mut waits) = (0.0, 0, Vec::new());
    for seed in 1..=seeds {
        let jobs = burst(calls, 30_000, seed);
        let mut world = World::new(config(lane(quota, Some(600), Pacing::Auto)), kind, jobs);
        world.claim_takes = way.min(2);
        world.way_takes = way;
        world.run();
        assert!(world.fates.iter().all(|fate| fate.completed.is_some()));
        utilisation += world.utilisation(quota) / seeds as f64;
        throttles += world.throttles;
        for (job, fate) in world.jobs.iter().zip(&world.fates) {
            if job.waiting.priority == Priority::Interactive {
                let arrived = job.waiting.arrived_at.as_millis() - super::world::START;
                waits.push(fate.released.unwrap() - arrived);
            }
        }
    }
    waits.sort_unstable();
    Seen {
        utilisation,
        throttles,
        interactive_p95: waits[waits.len() * 95 / 100],
    }
}

#[test]
fn burst_a_is_never_throttled_and_uses_the_quota() {
    for kind in KINDS {
        let seen = run(264, 300_000, kind, 0);
        println!("A {kind:?} {seen:?}");
        assert_eq!(seen.throttles, 0, "{kind:?}");
        assert!(seen.utilisation >= 97.0, "{kind:?} {seen:?}");
        assert!(seen.interactive_p95 <= 1_000, "{kind:?} {seen:?}");
    }
}

#[test]
fn burst_b_is_never_throttled_and_uses_the_quota() {
    for kind in KINDS {
        let seen = run(900, 1_000_000, kind, 0);
        println!("B {kind:?} {seen:?}");
        assert_eq!(seen.throttles, 0, "{kind:?}");
        assert!(seen.utilisation >= 97.0, "{kind:?} {seen:?}");
        assert!(seen.interactive_p95 <= 2_000, "{kind:?} {seen:?}");
    }
}

/// A call that costs far more than it reserved can take what one on its way was counted on: with a way to go,
/// refusals are rare instead of none.
#[test]
fn a_burst_over_a_slow_network_is_hardly_ever_throttled() {
    for kind in KINDS {
        let seen = run(264, 300_000, kind, 30);
        println!("A at 30 ms {kind:?} {seen:?}");
        assert!(seen.throttles <= 2, "{kind:?} {seen:?}");
        assert!(seen.utilisation >= 97.0, "{kind:?} {seen:?}");
    }
}

/// Ten minutes of unbroken backlog with interactive calls among it.
#[test]
fn an_unbroken_backlog_is_never_throttled_and_uses_the_quota() {
    for kind in KINDS {
        let mut dice = Dice(7);
        let quota = 300_000;
        let mut jobs: Vec<Job> = (0..1_600)
            .map(|number| job(&mut dice, number, 0, Priority::Batch))
            .collect();
        let mut arrival = 0;
        for number in 2_000..2_250 {
            arrival += dice.exponential(2_400.0) as u64;
            jobs.push(job(&mut dice, number, arrival, Priority::Interactive));
        }
        let mut world = World::new(config(lane(quota, Some(600), Pacing::Auto)), kind, jobs);
        world.way_takes = 0;
        world.claim_takes = 0;
        world.run_until(600_000);
        let mut waits: Vec<u64> = (1_600..1_850)
            .filter_map(|index| {
                let arrived = world.jobs[index].waiting.arrived_at.as_millis() - super::world::START;
                world.fates[index].released.map(|at| at - arrived)
            })
            .collect();
        waits.sort_unstable();
        let utilisation = 100.0 * world.charged as f64 / (quota * 10) as f64;
        println!(
            "D {kind:?} utilisation {utilisation:.1} throttles {} interactive p50 {} p95 {}",
            world.throttles,
            waits[waits.len() / 2],
            waits[waits.len() * 95 / 100]
        );
        assert_eq!(world.throttles, 0, "{kind:?}");
        assert!(utilisation >= 95.0, "{kind:?} {utilisation}");
    }
}
