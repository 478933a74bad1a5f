//! Bands and tenants get their shares, nobody starves, and nothing is left unused.

use super::world::{Job, World, config, id, lane, tenant, waiting};
use crate::config::Pacing;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::{Event, SchedulerConfig};
use crate::units::Tokens;

const MINUTES: u64 = 10;

/// A backlog that ten minutes do not clear, all there from the start.
fn backlog(count: u64, first: u64, priority: Priority, whose: &str, size: u64, actual: u64) -> Vec<Job> {
    let job = |number| {
        let mut waiting = waiting(first + number, 0, priority, size);
        waiting.tenant = tenant(whose);
        waiting.expected = Tokens::new(size / 2);
        Job {
            waiting,
            charged: size,
            actual,
            lasts: 1_000,
        }
    };
    (0..count).map(job).collect()
}

fn run(config: SchedulerConfig, jobs: Vec<Job>) -> World {
    let mut world = World::new(config, Kind::Bucket(10), jobs);
    world.run_until(MINUTES * 60_000);
    world
}

fn charged(world: &World, counts: impl Fn(&Job) -> bool) -> f64 {
    let done = world.jobs.iter().zip(&world.fates);
    let counted = done.filter(|(job, fate)| fate.completed.is_some() && counts(job));
    counted.map(|(job, _)| job.actual as f64).sum()
}

fn within_five_percent(found: f64, wanted: f64) {
    assert!(
        (found - wanted).abs() <= 0.05 * wanted,
        "{found:.4} instead of {wanted:.4}"
    );
}

#[test]
fn backlogged_bands_get_their_weights() {
    let mut jobs = backlog(6_000, 0, Priority::Interactive, "a", 700, 400);
    jobs.extend(backlog(4_000, 10_000, Priority::Normal, "a", 1_000, 900));
    jobs.extend(backlog(4_000, 20_000, Priority::Batch, "a", 1_100, 300));
    let world = run(config(lane(200_000, None, Pacing::Auto)), jobs);
    let all = charged(&world, |_| true);
    for (priority, weight) in Priority::ALL.into_iter().zip([0.70, 0.25, 0.05]) {
        within_five_percent(
            charged(&world, |job| job.waiting.priority == priority) / all,
            weight,
        );
    }
    assert_eq!(world.throttles, 0);
}

#[test]
fn backlogged_tenants_get_their_weights() {
    let mut config = config(lane(200_000, None, Pacing::Auto));
    config.tenants.insert(tenant("b"), 3);
    let mut jobs = backlog(6_000, 0, Priority::Batch, "a", 1_000, 300);
    jobs.extend(backlog(6_000, 10_000, Priority::Batch, "b", 500, 450));
    jobs.extend(backlog(6_000, 20_000, Priority::Batch, "c", 700, 700));
    let world = run(config, jobs);
    let all = charged(&world, |_| true);
    for (name, weight) in [("a", 0.2), ("b", 0.6), ("c", 0.2)] {
        within_five_percent(
            charged(&world, |job| job.waiting.tenant == tenant(name)) / all,
            weight,
        );
    }
}

#[test]
fn a_band_alone_gets_everything() {
    let jobs = backlog(9_000, 0, Priority::Batch, "a", 1_000, 400);
    let world = run(config(lane(200_000, None, Pacing::Auto)), jobs);
    let utilisation = charged(&world, |_| true) / (MINUTES * 200_000) as f64;
    assert!(utilisation >= 0.96, "{utilisation}");
    assert_eq!(world.throttles, 0);
}

/// A thousand tenants keep the interactive band full; one batch request and one late tenant are still served.
#[test]
fn nobody_starves() {
    let mut jobs: Vec<Job> = (0..1_000)
        .flat_map(|who| {
            backlog(
                2,
                who * 10,
                Priority::Interactive,
                &format!("t{who}"),
                1_000,
                1_000,
            )
        })
        .collect();
    jobs.extend(backlog(1, 90_000, Priority::Batch, "slow", 5_000, 5_000));
    jobs.extend(backlog(1, 90_001, Priority::Interactive, "late", 1_000, 1_000));
    let (batch, late) = (jobs.len() - 2, jobs.len() - 1);
    let world = run(config(lane(200_000, None, Pacing::Auto)), jobs);
    // The band's virtual time has to pass nothing: the batch band is new, so its turn comes with its tag.
    assert!(world.fates[batch].released.unwrap() <= 30_000);
    // A thousand tenants before it, one request of 1,000 each, at 200,000 a minute.
    assert!(world.fates[late].released.unwrap() <= 5 * 60_000 + 30_000);
}

#[test]
fn a_tenant_that_was_idle_saves_nothing_up() {
    let mut scheduler = super::scheduler(config(lane(60_000, None, Pacing::Auto)));
    let arrive = |number, who: &str| {
        let mut one = waiting(number, 0, Priority::Normal, 1_000);
        one.tenant = tenant(who);
        Event::Arrived(one)
    };
    // One tenant is served alone for long.
    for number in 0..9 {
        scheduler.step(super::at(0), arrive(number, "busy"));
        scheduler.step(super::at(0), super::started(id(number), 1, 0));
    }
    // Now both wait: they take turns, the new one does not go nine times first.
    let mut order = Vec::new();
    for number in 0..4 {
        scheduler.step(super::at(1), arrive(100 + number, "busy"));
        scheduler.step(super::at(1), arrive(200 + number, "new"));
    }
    for second in 1..20 {
        let now = second * 1_000;
        for (request, call) in super::released(&scheduler.step(super::at(now), Event::Tick)) {
            order.push(request);
            scheduler.step(super::at(now), super::started(request, call, now));
        }
    }
    let of_new: Vec<bool> = order.iter().map(|request| *request >= id(200)).collect();
    let early = of_new.iter().take(4).filter(|new| **new).count();
    assert!((1..=3).contains(&early), "{of_new:?}");
}
