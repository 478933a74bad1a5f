//! Whoever has another lane in its chain does not wait for one that calls nobody: at the door too.

use super::upstream::{leaving, opened};
use super::world::*;
use super::{ended, released, scheduler, started, throttled, wake};
use crate::breaker::Hand;
use crate::config::{Admission, Pacing};
use crate::fallback::HopCause;
use crate::request::Priority;
use crate::scheduler::{Event, Limit, Scheduler, TurnedAway, Waiting};
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, TokensPerDay};

fn midnight() -> Timestamp {
    let day = 86_400_000;
    Timestamp::from_millis((START / day + 1) * day)
}

/// One that came at 20 ms and has to start within so much.
fn in_a_hurry(number: u64, max_wait: u64, may_leave: bool) -> Waiting {
    Waiting {
        latest_start: Some(at(20 + max_wait)),
        may_leave,
        ..waiting(number, 20, Priority::Normal, 100)
    }
}

/// Asks for both at the door and lets the one in that goes on in its chain: it is gone in the same step.
fn only_the_one_with_a_chain_comes_in(lane: &mut Scheduler, cause: HopCause) {
    let Err(TurnedAway::Late(late)) = lane.admit(at(20), &in_a_hurry(8, 200, false), &mut Vec::new()) else {
        panic!("nobody is called in time here");
    };
    assert_eq!(late.limit, Limit::MaxWait);
    let goes_on = in_a_hurry(9, 200, true);
    let forecast = lane.admit(at(20), &goes_on, &mut Vec::new()).unwrap();
    assert_eq!(forecast.earliest, at(20));
    assert_eq!(
        forecast.misses(goes_on.latest_start, None),
        None,
        "nor is it flagged"
    );
    let commands = lane.step(at(20), Event::Arrived(goes_on));
    assert_eq!(leaving(&commands), [(id(9), cause)]);
}

#[test]
fn an_open_breaker_makes_nobody_late_who_goes_on_in_its_chain() {
    let mut lane = opened();
    assert_eq!(lane.config.limits.admission, Admission::Refuse);
    only_the_one_with_a_chain_comes_in(&mut lane, HopCause::BreakerOpen);
    lane.step(at(20), Event::Breaker(Some(Hand::Closed)));
    assert!(
        lane.admit(at(20), &in_a_hurry(10, 200, false), &mut Vec::new())
            .is_ok()
    );
}

#[test]
fn a_day_refused_upstream_makes_nobody_late_who_goes_on_in_its_chain() {
    let mut lane = scheduler(config(lane(60_000_000, None, Pacing::Auto)));
    let first = waiting(1, 0, Priority::Normal, 100);
    assert_eq!(released(&lane.step(at(0), Event::Arrived(first))).len(), 1);
    lane.step(at(1), started(id(1), 1, 1));
    lane.step(at(2), throttled(id(1), 1, ThrottleCause::Day, at(3_600_000)));
    only_the_one_with_a_chain_comes_in(&mut lane, HopCause::Parked);
}

/// A lane of 1,000 tokens a day, of which so much was settled by a call that is over.
fn with_a_day(settled: u64) -> Scheduler {
    let mut lane = lane(60_000_000, None, Pacing::Auto);
    lane.tokens_per_day = Some(TokensPerDay::new(1_000));
    let mut lane = scheduler(config(lane));
    let first = waiting(1, 0, Priority::Normal, settled);
    assert_eq!(released(&lane.step(at(0), Event::Arrived(first))).len(), 1);
    lane.step(at(1), started(id(1), 1, 1));
    lane.step(at(10), ended(id(1), 1, settled, 10));
    lane
}

fn of(number: u64, reserve: u64, may_leave: bool) -> Waiting {
    Waiting {
        may_leave,
        ..waiting(number, 20, Priority::Normal, reserve)
    }
}

#[test]
fn a_day_that_the_lane_itself_has_counted_up_sends_on_whoever_may_leave() {
    let mut lane = with_a_day(1_000);
    assert!(lane.view(at(20)).day_parked);
    assert_eq!(lane.view(at(20)).parked_until, Some(midnight()));
    only_the_one_with_a_chain_comes_in(&mut lane, HopCause::Parked);
    let commands = lane.step(at(21), Event::Arrived(of(3, 100, false)));
    assert_eq!(
        wake(&commands),
        Some(midnight()),
        "the others wait for the next day"
    );
    let commands = lane.step(midnight(), Event::Tick);
    assert_eq!(released(&commands), [(id(3), 1)]);
    assert!(!lane.view(midnight()).day_parked);
}

#[test]
fn who_is_too_large_for_the_rest_of_the_day_goes_on_and_holds_up_nobody() {
    let mut lane = with_a_day(600);
    for number in 10..30 {
        let commands = lane.step(at(20), Event::Arrived(of(number, 500, true)));
        assert_eq!(leaving(&commands), [(id(number), HopCause::Parked)]);
    }
    assert!(!lane.view(at(20)).day_parked, "smaller ones go");
    assert_eq!(
        released(&lane.step(at(20), Event::Arrived(of(40, 300, true)))),
        [(id(40), 1)]
    );
    // What is only reserved may be given back: who fits then waits for it.
    let commands = lane.step(at(21), Event::Arrived(of(41, 200, true)));
    assert_eq!((leaving(&commands), released(&commands)), (vec![], vec![]));
    lane.step(at(22), started(id(40), 1, 22));
    let commands = lane.step(at(30), ended(id(40), 1, 150, 30));
    assert_eq!(released(&commands), [(id(41), 1)]);
}

#[test]
fn a_backlog_goes_on_when_the_day_runs_out_behind_one_that_has_to_stay() {
    let mut config = config(lane(60_000_000, None, Pacing::Auto));
    config.lane.tokens_per_day = Some(TokensPerDay::new(1_000));
    config.lane.max_concurrency = 1;
    let mut lane = scheduler(config);
    for (number, may_leave) in [(1, false), (2, false), (3, true), (4, true)] {
        lane.step(at(0), Event::Arrived(of(number, 600, may_leave)));
    }
    lane.step(at(1), started(id(1), 1, 1));
    let commands = lane.step(at(10), ended(id(1), 1, 500, 10));
    let gone = [3, 4].map(|number| (id(number), HopCause::Parked));
    assert_eq!(leaving(&commands), gone);
    assert!(lane.knows(id(2)));
}
