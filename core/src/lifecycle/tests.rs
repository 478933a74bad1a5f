//! The lifecycle's own tests: the drawn transitions and no others.
#![allow(clippy::unwrap_used)]

mod callers;
mod facts;
mod fallbacks;
mod life;
mod right_size;
mod runners;

use super::*;
use crate::cost::Estimate;
use crate::fallback::{Hop, HopCause};
use crate::ids::{CallNo, LaneId, ModelId, RequestId, Rev, TenantId};
use crate::model::{ModelErrorKind, ModelHead, Operation};
use crate::request::{Door, Failure, Fresh, OnIndeterminate, Outcome, Request};
use crate::right_size::{RightSize, Slot};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};
use std::collections::BTreeSet;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const START_BY: Timestamp = Timestamp::from_millis(1_020_000);

/// A request in a state, as a life that led there would have left it.
fn request(state: State) -> Request {
    let called = !matches!(state, State::Received | State::Queued);
    let fresh = Fresh {
        id: RequestId::fresh(NOW, [1; 10]),
        tenant: TenantId::default(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("m").unwrap(),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at: NOW,
        body_hash: [0; 32],
        body_bytes: 2,
        estimate: Estimate::default(),
    };
    Request {
        state,
        rev: Rev::new(5),
        tries: 1,
        call: if called { CallNo::new(3) } else { CallNo::new(2) },
        calls_made: if state == State::Running { 3 } else { 2 },
        reserved: if called { Tokens::new(100) } else { Tokens::ZERO },
        start_by: (state == State::Released).then_some(START_BY),
        released_at: called.then_some(NOW),
        ended_at: state.is_terminal().then_some(NOW),
        fallback: vec![haiku()],
        right_size: Some(sized()),
        ..Request::fresh(fresh)
    }
}

/// Sent with 100 tokens of output where its caller allows 4,096.
fn sized() -> RightSize {
    RightSize {
        slot: Slot::new(0..1, "", ""),
        own: Some(Tokens::new(4_096)),
        rerun: false,
    }
}

fn haiku() -> Hop {
    Hop::Lane {
        lane: LaneId::new("haiku").unwrap(),
        model: ModelId::new("h").unwrap(),
        estimate: Estimate {
            input: Tokens::new(7),
            ..Estimate::default()
        },
        own_output: None,
    }
}

fn answer() -> Outcome {
    Outcome::Answer {
        head: ModelHead::default(),
        usage: None,
        bytes: 7,
    }
}

fn failure() -> Failure {
    Failure {
        kind: Some(ModelErrorKind::Validation),
        status: 400,
        exception: "ValidationException".to_owned(),
        message: "no".to_owned(),
        headers: Vec::new(),
    }
}

fn requeue(call: CallNo, throttle: Option<ThrottleCause>) -> Change {
    Change::Requeue {
        call,
        not_before: NOW + Millis::new(9),
        throttle,
        error: Some(ModelErrorKind::Cut),
        spends_try: throttle.is_none(),
    }
}

/// Every change there is, told of call `call` (a release gives out the one after the request's last) at `at`.
fn changes(request: &Request, call: CallNo, at: Timestamp) -> Vec<Change> {
    let next = request.call.next();
    let all = vec![
        Change::Queue,
        Change::Release {
            lane: request.lane.clone(),
            call: next,
            reserve: Tokens::new(100),
            start_by: at + Millis::from_secs(20),
            at,
        },
        Change::Claim { call, at },
        Change::Lapse { call, at },
        requeue(call, None),
        requeue(call, Some(ThrottleCause::Tokens)),
        Change::Divert {
            from: Leaving::Call(call),
            cause: HopCause::Error(ModelErrorKind::NotFound),
            at,
        },
        Change::Rerun { call },
        Change::Lose { call, at },
        Change::Complete {
            call,
            answer: answer(),
            first_output_at: Some(NOW),
            at,
        },
        Change::Fail {
            call: Some(call),
            failure: failure(),
            at,
        },
        Change::Fail {
            call: None,
            failure: failure(),
            at,
        },
        Change::Cancel { at },
        Change::Expire { at },
    ];
    let words: BTreeSet<&str> = all.iter().map(Change::as_str).collect();
    assert_eq!(words.len(), 12, "a change of each word");
    all
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::Fail { call: Some(_), .. } => "fail its call",
        other => other.as_str(),
    }
}

/// The drawing at the top of the module, arrow by arrow.
const ARROWS: [(State, &str, State); 21] = [
    (State::Received, "queue", State::Queued),
    (State::Received, "fail", State::Failed),
    (State::Received, "cancel", State::Cancelled),
    (State::Received, "expire", State::Expired),
    (State::Queued, "release", State::Released),
    (State::Queued, "fail", State::Failed),
    (State::Queued, "cancel", State::Cancelled),
    (State::Queued, "expire", State::Expired),
    (State::Released, "claim", State::Running),
    (State::Released, "lapse", State::Queued),
    (State::Released, "fail", State::Failed),
    (State::Released, "cancel", State::Cancelled),
    (State::Released, "expire", State::Expired),
    (State::Running, "requeue", State::Queued),
    (State::Running, "rerun", State::Queued),
    (State::Running, "divert", State::Queued),
    (State::Running, "lose", State::Queued),
    (State::Running, "complete", State::Completed),
    (State::Running, "fail its call", State::Failed),
    (State::Running, "cancel", State::Cancelled),
    (State::Running, "expire", State::Expired),
];

fn arrow(from: State, change: &Change) -> Option<State> {
    let found = ARROWS
        .iter()
        .find(|(state, name, _)| *state == from && *name == word(change));
    found.map(|(_, _, to)| *to)
}

/// When a change comes: a claim by `start_by`, a lapse after it.
fn timely(request: &Request, change: &Change) -> bool {
    match (change, request.start_by) {
        (Change::Claim { at, .. }, Some(start_by)) => *at <= start_by,
        (Change::Lapse { at, .. }, Some(start_by)) => *at > start_by,
        _ => true,
    }
}

#[test]
fn exactly_the_drawn_transitions_are_allowed() {
    let mut walked = 0;
    for state in State::ALL {
        let before = request(state);
        let early = changes(&before, before.call, START_BY);
        let late = changes(&before, before.call, START_BY + Millis::new(1));
        for change in early.iter().chain(&late) {
            let allowed = arrow(state, change).filter(|_| timely(&before, change));
            match (allowed, apply(&before, change)) {
                (Some(to), Ok(after)) => {
                    assert_eq!(after.state, to, "{state} {change:?}");
                    assert_eq!(after.rev, before.rev.next(), "{state} {change:?}");
                    assert_eq!(
                        after.state.is_terminal(),
                        after.ended_at.is_some(),
                        "{state} {change:?}"
                    );
                    walked += 1;
                }
                (None, Err(_)) => {}
                (_, result) => panic!("{state} {change:?}: {result:?}"),
            }
        }
    }
    // Each arrow at both times, but claim and lapse at one; requeue stands for a throttle and for an error.
    assert_eq!(walked, 2 * ARROWS.len() - 2 + 2);
}

#[test]
fn what_comes_of_another_call_changes_nothing() {
    for state in [State::Queued, State::Released, State::Running] {
        let before = request(state);
        for stale in [CallNo::NONE, CallNo::new(1), before.call.next().next()] {
            for change in changes(&before, stale, START_BY) {
                let names_a_call = !matches!(
                    change,
                    Change::Queue
                        | Change::Release { .. }
                        | Change::Fail { call: None, .. }
                        | Change::Cancel { .. }
                        | Change::Expire { .. }
                );
                if names_a_call && arrow(state, &change).is_some() {
                    let refused = Refused::Call {
                        found: stale,
                        current: before.call,
                    };
                    assert_eq!(apply(&before, &change), Err(refused), "{state} {change:?}");
                }
            }
        }
    }
}

#[test]
fn a_lane_releases_what_waits_in_it_and_nothing_else() {
    let before = request(State::Queued);
    let release = |lane: &LaneId| Change::Release {
        lane: lane.clone(),
        call: before.call.next(),
        reserve: Tokens::new(1),
        start_by: START_BY,
        at: NOW,
    };
    let left = LaneId::new("left-behind").unwrap();
    let refused = Refused::Lane {
        found: left.clone(),
        current: before.lane.clone(),
    };
    assert_eq!(apply(&before, &release(&left)), Err(refused));
    assert_eq!(
        apply(&before, &release(&before.lane)).unwrap().state,
        State::Released
    );
}

#[test]
fn a_release_gives_out_the_next_number_and_no_other() {
    let before = request(State::Queued);
    for number in [0, 1, 2, 4] {
        let change = Change::Release {
            lane: before.lane.clone(),
            call: CallNo::new(number),
            reserve: Tokens::new(1),
            start_by: START_BY,
            at: NOW,
        };
        let refused = Refused::Call {
            found: CallNo::new(number),
            current: CallNo::new(3),
        };
        assert_eq!(apply(&before, &change), Err(refused));
    }
}

#[test]
fn claims_and_lapses_share_no_moment() {
    let before = request(State::Released);
    let call = before.call;
    for (at, claimed) in [(START_BY, true), (START_BY + Millis::new(1), false)] {
        let claim = apply(&before, &Change::Claim { call, at });
        let lapse = apply(&before, &Change::Lapse { call, at });
        assert_eq!((claim.is_ok(), lapse.is_ok()), (claimed, !claimed));
        match (claim, lapse) {
            (Err(late), _) => assert_eq!(
                late,
                Refused::Late {
                    start_by: START_BY,
                    at
                }
            ),
            (_, Err(early)) => assert_eq!(
                early,
                Refused::Early {
                    start_by: START_BY,
                    at
                }
            ),
            _ => unreachable!("one of the two is refused"),
        }
    }
}
