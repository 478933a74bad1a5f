//! The urgent pass: before its turn while it can be made up for, and not beyond.

use super::world::{Job, World, at, config, lane, tenant, waiting};
use super::{ended, released, scheduler, started};
use crate::config::Pacing;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::{Event, Scheduler, Waiting};
use crate::units::Tokens;

fn of(number: u64, who: &str, priority: Priority, size: u64) -> Waiting {
    let mut one = waiting(number, 0, priority, size);
    one.tenant = tenant(who);
    one
}

/// A lane in which the interactive band and a batch tenant wait, and it is the interactive band's turn for long.
fn crowded() -> Scheduler {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Bucket { seconds: 10 })));
    for number in 0..60 {
        scheduler.step(
            at(0),
            Event::Arrived(of(number, "chat", Priority::Interactive, 1_000)),
        );
        scheduler.step(
            at(0),
            Event::Arrived(of(100 + number, "jobs", Priority::Batch, 1_000)),
        );
    }
    scheduler
}

fn went(scheduler: &mut Scheduler, seconds: std::ops::Range<u64>) -> Vec<u64> {
    let mut went = Vec::new();
    for second in seconds {
        for (request, call) in released(&scheduler.step(at(second * 1_000), Event::Tick)) {
            scheduler.step(at(second * 1_000), started(request, call, second * 1_000));
            scheduler.step(at(second * 1_000), ended(request, call, 1_000, second * 1_000));
            let bytes: [u8; 8] = request.as_bytes()[8..].try_into().unwrap();
            went.push(u64::from_be_bytes(bytes));
        }
    }
    went
}

#[test]
fn whose_time_is_nearly_up_goes_first_and_its_band_makes_up_for_it() {
    let mut scheduler = crowded();
    let before = went(&mut scheduler, 1..20);
    assert!(
        before.iter().filter(|number| **number >= 100).count() <= 2,
        "{before:?}"
    );
    let mut hurried = of(500, "jobs", Priority::Batch, 700);
    hurried.arrived_at = at(20_000);
    hurried.latest_start = Some(at(28_000));
    scheduler.step(at(20_000), Event::Arrived(hurried));
    assert!(
        !went(&mut scheduler, 20..26).contains(&500),
        "three quarters of its time are left to others"
    );
    assert!(went(&mut scheduler, 26..28).contains(&500));
    // 700 tokens at a weight of 5 are 14,000 of the others' 95.
    let after = went(&mut scheduler, 28..40);
    assert!(after.iter().all(|number| *number < 100), "{after:?}");
}

#[test]
fn beyond_what_can_be_made_up_for_it_waits_for_its_turn() {
    let mut scheduler = crowded();
    went(&mut scheduler, 1..20);
    for number in 0..20 {
        let mut hurried = of(500 + number, "jobs", Priority::Batch, 600);
        hurried.arrived_at = at(20_000);
        hurried.latest_start = Some(at(40_000));
        scheduler.step(at(20_000), Event::Arrived(hurried));
    }
    let hurried = went(&mut scheduler, 20..41)
        .into_iter()
        .filter(|number| *number >= 500)
        .count();
    // The batch band is served 3,000 tokens a minute; a quarter of a minute of that in advance, or one.
    assert!((1..=3).contains(&hurried), "{hurried}");
}

#[test]
fn an_urgent_request_of_the_band_with_the_least_weight_is_in_time() {
    let job = |waiting: Waiting| Job {
        charged: waiting.reserve.get(),
        actual: waiting.reserve.get(),
        waiting,
        lasts: 1_000,
    };
    let mut jobs: Vec<Job> = (0..2_000)
        .map(|number| {
            job(of(
                number,
                &format!("t{}", number % 40),
                Priority::ALL[number as usize % 2],
                900,
            ))
        })
        .collect();
    jobs.extend((0..20).map(|number| {
        let mut hurried = of(9_000 + number, "nightly", Priority::Batch, 400);
        hurried.expected = Tokens::new(400);
        hurried.arrived_at = at(number * 30_000);
        hurried.deadline = Some(at(number * 30_000 + 20_000));
        job(hurried)
    }));
    let mut world = World::new(config(lane(60_000, None, Pacing::Auto)), Kind::Bucket(10), jobs);
    world.run_until(700_000);
    let in_time = world.fates[2_000..]
        .iter()
        .filter(|fate| fate.completed.is_some())
        .count();
    assert_eq!(in_time, 20);
    assert_eq!(world.throttles, 0);
}
