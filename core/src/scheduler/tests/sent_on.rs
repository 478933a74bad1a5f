//! Whoever has another lane in its chain does not wait for one that calls nobody: at the door too.

use super::throttled;
use super::upstream::{leaving, opened};
use super::world::*;
use super::{released, scheduler, started};
use crate::breaker::Hand;
use crate::config::{Admission, Pacing};
use crate::fallback::HopCause;
use crate::request::Priority;
use crate::scheduler::{Event, Limit, Scheduler, TurnedAway, Waiting};
use crate::throttle::ThrottleCause;

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
