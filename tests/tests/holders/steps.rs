//! Clocks that are set while a lane is held, and what relies on them by mistake.

use super::broken::Broken;
use super::clock::{Step, WallClock};
use super::holders::ports;
use super::judge::lane;
use super::run::run_as;
use super::scenario::Scenario;
use super::tests::SEEDS;
use super::town::Town;
use smoother_core::{Millis, Timestamp};
use smoother_prioritizer::{HoldEnd, hold};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether one of the seeds finds out what is broken, by the word for it and by the steps of clocks: without them the
/// same run does not.
fn is_found_by_steps(broken: Broken, word: &str) -> bool {
    let finds = |scenario: &Scenario| {
        let faults = run_as(scenario, Some(broken)).faults;
        faults.iter().any(|fault| fault.starts_with(word))
    };
    (0..SEEDS).map(Scenario::of).any(|stepped| {
        let steady = Scenario {
            stepped_clocks: 0,
            ..stepped.clone()
        };
        stepped.stepped_clocks > 0 && finds(&stepped) && !finds(&steady)
    })
}

#[test]
fn a_lease_in_place_of_the_fence_is_found_out() {
    assert!(is_found_by_steps(Broken::LeaseForFence, "stale"));
}

#[test]
fn a_window_that_is_measured_by_the_wall_is_found_out() {
    assert!(is_found_by_steps(Broken::SpansByWall, "quota"));
}

/// Holds an empty lane in a process whose wall is set by so many seconds after one; how that ends, and when.
async fn held_while_the_wall_is_set(by: i64) -> (HoldEnd, Duration) {
    let (calls, _called) = tokio::sync::mpsc::unbounded_channel();
    let town = Town::new(&Scenario::of(0), None, calls);
    let mut place = town.open();
    let (world, judge) = (town.world.clone(), town.judge.clone());
    let step = Step {
        at: world.now() + Millis::from_secs(1),
        by: by * 1_000,
    };
    place.clock = Arc::new(WallClock::new(world, judge, 0, 0, vec![step]));
    let began = Instant::now();
    let until = began + Duration::from_secs(780);
    let config = town.config.clone();
    let ended = hold(
        &config,
        &config.lanes[&lane()],
        ports(&town, &place, CancellationToken::new()),
        "h",
        until,
    )
    .await;
    let lease = town.world.lease(&lane()).unwrap();
    assert_eq!(lease.expires, Timestamp::EPOCH, "it was given back");
    (ended.unwrap(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_wall_that_is_set_forwards_has_the_lane_handed_over_and_none_that_is_set_backwards() {
    for (by, end) in [
        (0, HoldEnd::Idle),
        (1, HoldEnd::Idle),
        (-300, HoldEnd::Idle),
        (300, HoldEnd::TimeUp),
    ] {
        let (ended, after) = held_while_the_wall_is_set(by).await;
        assert_eq!(ended, end, "by {by} s");
        // However the wall is set, its promise passes in its own time.
        assert!(after < Duration::from_secs(40), "by {by} s: {after:?}");
    }
}
