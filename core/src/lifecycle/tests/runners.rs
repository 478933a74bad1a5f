//! Who makes a call, and releases that nobody will.

use super::*;
use crate::request::Runner;

fn release(row: &Request, call: CallNo) -> Change {
    Change::Release {
        lane: row.lane.clone(),
        call,
        reserve: Tokens::new(1),
        start_by: START_BY,
        at: NOW,
    }
}

#[test]
fn a_void_release_can_be_recorded_no_more_and_its_number_is_spent() {
    let before = request(State::Queued);
    let number = before.call.next();
    let void = Change::Void { call: number };
    let after = apply(&before, &void).unwrap();
    assert_eq!((after.state, after.call), (State::Queued, number));
    assert_eq!((after.calls_made, after.tries), (before.calls_made, before.tries));
    let late = apply(&after, &release(&after, number));
    assert!(matches!(late, Err(Refused::Call { .. })), "{late:?}");
    assert!(apply(&after, &release(&after, number.next())).is_ok());
    let again = apply(&after, &void);
    assert!(matches!(again, Err(Refused::Call { .. })), "{again:?}");
}

#[test]
fn a_release_that_was_recorded_is_not_void() {
    for state in State::ALL {
        let row = request(state);
        for call in [row.call, row.call.next(), row.call.next().next()] {
            let allowed = state == State::Queued && call == row.call.next();
            assert_eq!(
                apply(&row, &Change::Void { call }).is_ok(),
                allowed,
                "{state} {call}"
            );
        }
    }
}

#[test]
fn whoever_did_not_claim_or_was_lost_is_no_runner_any_more() {
    let own = |state| Request {
        runner: Runner::Caller,
        dead: state == State::Failed,
        ..request(state)
    };
    let (released, running) = (own(State::Released), own(State::Running));
    let lapse = Change::Lapse {
        call: released.call,
        at: START_BY + Millis::new(1),
    };
    assert_eq!(apply(&released, &lapse).unwrap().runner, Runner::Worker);
    let call = running.call;
    let lose = Change::Lose { call, at: NOW };
    assert_eq!(apply(&running, &lose).unwrap().runner, Runner::Worker);
    let redriven = apply(&own(State::Failed), &Change::Redrive).unwrap();
    assert_eq!(redriven.runner, Runner::Worker);
    // A throttle or an error says nothing about who waits on the line.
    let again = apply(&running, &requeue(call, None)).unwrap();
    assert_eq!((again.state, again.runner), (State::Queued, Runner::Caller));
}

#[test]
fn a_row_of_before_there_were_runners_is_a_workers() {
    let plain = request(State::Queued);
    let mut text = serde_json::to_value(&plain).unwrap();
    assert!(text.get("runner").is_none(), "it takes no room in a row");
    let own = Request {
        runner: Runner::Caller,
        ..plain.clone()
    };
    let stored = serde_json::to_value(&own).unwrap();
    assert_eq!(serde_json::from_value::<Request>(stored).unwrap(), own);
    text.as_object_mut().unwrap().remove("runner");
    assert_eq!(serde_json::from_value::<Request>(text).unwrap(), plain);
}
