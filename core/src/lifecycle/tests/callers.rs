//! Who waits for a request, and what becomes of it when nobody does.

use super::*;
use crate::request::OnDisconnect;

fn held(state: State, on_disconnect: OnDisconnect) -> Request {
    Request {
        on_disconnect,
        ..request(state)
    }
}

const OPEN: [State; 4] = [State::Received, State::Queued, State::Released, State::Running];
const ABANDON: Change = Change::Abandon { at: NOW };

#[test]
fn an_abandoned_request_is_cancelled_unless_it_is_to_be_finished() {
    for state in OPEN {
        for policy in [OnDisconnect::Cancel, OnDisconnect::CancelAtOnce] {
            let after = apply(&held(state, policy), &ABANDON).unwrap();
            assert_eq!((after.state, after.ended_at), (State::Cancelled, Some(NOW)));
        }
        assert_eq!(
            apply(&held(state, OnDisconnect::Finish), &ABANDON),
            Err(Refused::Kept)
        );
    }
    for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        let refused = apply(&held(state, OnDisconnect::Cancel), &ABANDON);
        assert!(matches!(refused, Err(Refused::State { .. })), "{state}");
    }
}

#[test]
fn a_job_that_joins_keeps_the_request_whoever_comes_after() {
    let join = |door, on_disconnect| Change::Join { door, on_disconnect };
    for state in OPEN {
        let before = held(state, OnDisconnect::CancelAtOnce);
        let job = apply(&before, &join(Door::Job, OnDisconnect::Finish)).unwrap();
        assert_eq!(
            (job.state, job.door, job.on_disconnect, job.rev),
            (state, Door::Job, OnDisconnect::Finish, before.rev.next())
        );
        let caller = apply(&job, &join(Door::Sync, OnDisconnect::Cancel)).unwrap();
        assert_eq!(
            (caller.door, caller.on_disconnect),
            (Door::Job, OnDisconnect::Finish)
        );
        assert_eq!(apply(&caller, &ABANDON), Err(Refused::Kept));
    }
    let over = apply(&request(State::Failed), &join(Door::Job, OnDisconnect::Finish));
    assert!(matches!(over, Err(Refused::State { .. })));
}

#[test]
fn among_callers_the_last_ones_policy_holds() {
    let mut row = held(State::Queued, OnDisconnect::CancelAtOnce);
    for on_disconnect in [
        OnDisconnect::Cancel,
        OnDisconnect::CancelAtOnce,
        OnDisconnect::Finish,
    ] {
        let door = Door::Sync;
        row = apply(&row, &Change::Join { door, on_disconnect }).unwrap();
        assert_eq!((row.door, row.on_disconnect), (Door::Sync, on_disconnect));
    }
}

#[test]
fn a_restart_makes_no_call_for_nobody() {
    for state in OPEN {
        let before = held(state, OnDisconnect::CancelAtOnce);
        let change = after_restart(&before, NOW).unwrap();
        assert_eq!(
            apply(&before, &change).unwrap().state,
            State::Cancelled,
            "{state}"
        );
    }
}

#[test]
fn a_restart_puts_everything_else_back_in_line() {
    for policy in [OnDisconnect::Cancel, OnDisconnect::Finish] {
        for state in OPEN {
            let before = held(state, policy);
            let after = match after_restart(&before, NOW) {
                Some(change) => apply(&before, &change).unwrap(),
                None => before,
            };
            assert_eq!(after.state, State::Queued, "{state}");
        }
    }
    for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        assert_eq!(after_restart(&request(state), NOW), None, "{state}");
    }
}
