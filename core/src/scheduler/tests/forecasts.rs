//! Forecasts against what then happens.

use super::world::{Job, START, World, at, config, id, lane, tenant, waiting};
use crate::config::Pacing;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::{Event, Scheduler};

fn jobs(count: u64, first: u64, priority: Priority, whose: &str) -> Vec<Job> {
    let job = |number| {
        let mut one = waiting(first + number, 0, priority, 1_000);
        one.tenant = tenant(whose);
        Job {
            waiting: one,
            charged: 1_000,
            actual: 1_000,
            lasts: 500,
        }
    };
    (0..count).map(job).collect()
}

/// The forecasts of all that wait once everything has arrived, and when each went.
fn compare(jobs: Vec<Job>) -> Vec<(u64, u64, u64)> {
    let count = jobs.len();
    let mut world = World::new(config(lane(300_000, None, Pacing::Auto)), Kind::Sliding, jobs);
    world.run_until(0);
    let forecast =
        |world: &World, index: usize| world.scheduler.forecast(at(0), world.jobs[index].waiting.id);
    let forecasts: Vec<_> = (0..count).map(|index| forecast(&world, index)).collect();
    world.run();
    let before = world.fates.iter().filter(|fate| fate.released == Some(0)).count() as u64;
    let mut order: Vec<(u64, usize)> = world
        .fates
        .iter()
        .enumerate()
        .map(|(index, fate)| (fate.released.unwrap(), index))
        .collect();
    order.sort_unstable();
    let mut seen = Vec::new();
    for (place, (released, index)) in order.into_iter().enumerate() {
        if let Some(forecast) = forecasts[index] {
            let start = forecast.start.as_millis() - START;
            seen.push((
                start,
                released,
                (place as u64 + 1 - before).abs_diff(forecast.position),
            ));
        }
    }
    seen
}

#[test]
fn a_tenant_alone_is_told_its_place_and_time() {
    let seen = compare(jobs(900, 0, Priority::Normal, "a"));
    assert!(seen.len() > 800);
    for (forecast, released, wrong_by) in seen {
        assert!(wrong_by <= 1, "place is wrong by {wrong_by}");
        // The window makes up for the burst: ten seconds late at the end of each minute.
        assert!(forecast.abs_diff(released) <= 11_000, "{forecast} for {released}");
    }
}

#[test]
fn shares_of_bands_and_tenants_count() {
    let mut all = jobs(300, 0, Priority::Normal, "a");
    all.extend(jobs(300, 1_000, Priority::Normal, "b"));
    all.extend(jobs(300, 2_000, Priority::Interactive, "a"));
    let seen = compare(all);
    for (forecast, released, wrong_by) in seen {
        assert!(wrong_by <= 60, "place is wrong by {wrong_by}");
        assert!(forecast.abs_diff(released) <= 22_000, "{forecast} for {released}");
    }
}

#[test]
fn where_calls_in_flight_are_the_bound_their_span_counts() {
    let mut narrow = config(lane(60_000_000, None, Pacing::Auto));
    narrow.lane.max_concurrency = 4;
    let mut it = super::scheduler(narrow);
    for number in 1..=24 {
        it.step(at(0), Event::Arrived(waiting(number, 0, Priority::Normal, 10)));
    }
    // The fifth of twenty that wait behind four: five calls have to end, and nobody knows yet how long they take.
    let start = |it: &Scheduler, now| it.forecast(at(now), id(9)).unwrap().start;
    assert_eq!(start(&it, 0), at(5_000 * 5 / 4));
    for number in 1..=4 {
        it.step(at(0), super::started(id(number), 1, 0));
    }
    it.step(at(800), super::ended(id(1), 1, 10, 800));
    // Its place is taken at once; four more are to end, each after 800 ms as the first.
    assert_eq!(start(&it, 800), at(800 + 800));
    let left = it.snapshot(at(800));
    let mut next = super::scheduler(config(lane(60_000_000, None, Pacing::Auto)));
    next.resume(at(900), &left);
    assert!(
        serde_json::to_string(&next.snapshot(at(900)))
            .unwrap()
            .contains("\"s\":800")
    );
}

#[test]
fn what_does_not_wait_has_no_forecast() {
    let mut scheduler = super::scheduler(config(lane(300_000, None, Pacing::Auto)));
    assert_eq!(scheduler.forecast(at(0), id(1)), None);
    scheduler.step(
        at(0),
        crate::scheduler::Event::Arrived(waiting(1, 0, Priority::Normal, 10)),
    );
    assert_eq!(scheduler.forecast(at(0), id(1)), None);
    let mut later = waiting(2, 0, Priority::Normal, 10);
    later.not_before = Some(at(5_000));
    scheduler.step(at(0), crate::scheduler::Event::Arrived(later));
    let forecast = scheduler.forecast(at(0), id(2)).unwrap();
    assert_eq!((forecast.position, forecast.start), (1, at(5_000)));
}

#[test]
fn what_was_foretold_to_a_request_that_had_to_wait_is_known_until_it_starts() {
    let mut scheduler = super::scheduler(config(lane(60_000, None, Pacing::Window)));
    let arrives = |number| Event::Arrived(waiting(number, 0, Priority::Normal, 40_000));
    scheduler.step(at(0), arrives(1));
    let first = crate::ids::CallNo::new(1);
    assert_eq!(scheduler.foretold(id(1), first), None, "it went at once");
    scheduler.step(at(0), arrives(2));
    let expected = scheduler.forecast(at(0), id(2)).unwrap();
    // What comes later, and before it, changes the forecast and not what was foretold.
    let mut urgent = waiting(3, 0, Priority::Normal, 40_000);
    urgent.deadline = Some(at(500_000));
    scheduler.step(at(0), Event::Arrived(urgent));
    assert!(scheduler.forecast(at(0), id(2)).unwrap().position > expected.position);
    assert_eq!(scheduler.foretold(id(2), first), None, "it has not gone");
    scheduler.step(at(1), super::started(id(1), 1, 1));
    scheduler.step(at(1), super::ended(id(1), 1, 0, 1));
    scheduler.step(at(2), super::started(id(3), 1, 2));
    scheduler.step(at(2), super::ended(id(3), 1, 0, 2));
    assert_eq!(
        scheduler.foretold(id(2), first),
        Some((Priority::Normal, expected.start))
    );
    assert_eq!(scheduler.foretold(id(2), first.next()), None);
    scheduler.step(at(3), super::started(id(2), 1, 3));
    assert_eq!(scheduler.foretold(id(2), first), None, "it has started");
}
