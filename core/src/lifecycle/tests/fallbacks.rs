//! Leaving a lane for another, for a text, and coming back from the dead.

use super::*;
use crate::degraded::Form;

const DOWN: HopCause = HopCause::Error(ModelErrorKind::Internal);

fn text() -> Hop {
    Hop::Answer {
        text: "Busy.".to_owned(),
        form: Form::Converse,
    }
}

fn line(lane: &str) -> Leaving {
    Leaving::Line(LaneId::new(lane).unwrap())
}

fn divert(from: Leaving, cause: HopCause) -> Change {
    Change::Divert { from, cause, at: NOW }
}

fn degrade(from: Leaving) -> Change {
    Change::Degrade {
        from,
        cause: DOWN,
        answer: answer(),
        at: NOW,
    }
}

fn dead_letter() -> Request {
    let before = Request {
        door: Door::Job,
        deadline: Some(START_BY),
        latest_start: Some(START_BY),
        ..request(State::Running)
    };
    let failure = Failure {
        status: 500,
        ..failure()
    };
    let fail = Change::Fail {
        call: Some(before.call),
        failure,
        at: NOW,
    };
    apply(&before, &fail).unwrap()
}

#[test]
fn the_next_lane_of_the_chain_takes_over_tries_and_deadline() {
    let before = Request {
        deadline: Some(START_BY),
        ..request(State::Running)
    };
    let after = apply(&before, &divert(Leaving::Call(before.call), DOWN)).unwrap();
    assert_eq!((after.state, after.lane.as_str()), (State::Queued, "haiku"));
    assert_eq!((after.tries, after.deadline), (before.tries, before.deadline));
    assert_eq!((after.model_to_call().as_str(), after.model.as_str()), ("h", "m"));
    assert_eq!(after.estimate.input, Tokens::new(7));
    assert_eq!((after.reserved, after.fallback.len()), (Tokens::ZERO, 0));
    let hop = &after.hops[0];
    assert_eq!(
        (hop.from.as_str(), hop.model.as_str(), hop.cause),
        ("sonnet", "m", DOWN)
    );
    assert_eq!(after.last_error, Some(ModelErrorKind::Internal));
}

#[test]
fn a_request_in_line_leaves_it_without_a_call_and_a_released_one_does_not() {
    let cause = HopCause::BreakerOpen;
    for state in State::ALL {
        let after = apply(&request(state), &divert(line("sonnet"), cause));
        assert_eq!(after.is_ok(), state == State::Queued, "{state}");
    }
    let after = apply(&request(State::Queued), &divert(line("sonnet"), cause)).unwrap();
    assert_eq!((after.last_error, after.hops[0].cause), (None, cause));
    // The lane that it has left may hear of it twice: it is not sent on again.
    let again = apply(&after, &divert(line("sonnet"), cause)).unwrap_err();
    assert!(matches!(again, Refused::Lane { .. }), "{again}");
}

#[test]
fn a_lane_that_was_in_trouble_is_tried_once_more_before_the_chain_ends() {
    let mut request = Request {
        fallback: vec![haiku(), text()],
        ..request(State::Queued)
    };
    let mut went = vec![request.lane.to_string()];
    while matches!(request.fallback.first(), Some(Hop::Lane { .. })) {
        request = apply(
            &request,
            &divert(line(request.lane.as_str()), HopCause::BreakerOpen),
        )
        .unwrap();
        assert_eq!(request.fallback.last(), Some(&text()));
        went.push(request.lane.to_string());
    }
    assert_eq!(went, ["sonnet", "haiku", "sonnet", "haiku"]);
    assert_eq!((request.model_to_call().as_str(), request.hops.len()), ("h", 3));
}

#[test]
fn the_text_at_the_end_of_the_chain_is_a_degraded_answer() {
    for (state, from) in [
        (State::Queued, line("sonnet")),
        (State::Running, Leaving::Call(CallNo::new(3))),
    ] {
        let before = Request {
            fallback: vec![text()],
            ..request(state)
        };
        let after = apply(&before, &degrade(from)).unwrap();
        assert_eq!((after.state, after.degraded), (State::Completed, true));
        assert_eq!((after.outcome, after.ended_at), (Some(answer()), Some(NOW)));
        assert_eq!(after.hops.len(), 1);
    }
}

#[test]
fn a_chain_goes_on_as_it_is_written() {
    let ends_so = |fallback| Request {
        fallback,
        ..request(State::Queued)
    };
    let refused = |change| Err(Refused::NoHop { change });
    for fallback in [vec![], vec![text()]] {
        assert_eq!(
            apply(&ends_so(fallback), &divert(line("sonnet"), DOWN)),
            refused("divert")
        );
    }
    for fallback in [vec![], vec![haiku(), text()]] {
        assert_eq!(
            apply(&ends_so(fallback), &degrade(line("sonnet"))),
            refused("degrade")
        );
    }
}

#[test]
fn a_job_that_failed_by_no_fault_of_its_own_is_a_dead_letter() {
    assert!(dead_letter().dead);
    let fail = |before: &Request, status| {
        let failure = Failure { status, ..failure() };
        let call = Some(before.call);
        apply(
            before,
            &Change::Fail {
                call,
                failure,
                at: NOW,
            },
        )
        .unwrap()
    };
    let job = Request {
        door: Door::Job,
        ..request(State::Running)
    };
    assert!(!fail(&job, 400).dead, "its own fault");
    assert!(
        !fail(&request(State::Running), 500).dead,
        "its caller has been told"
    );
}

#[test]
fn a_redriven_request_is_numbered_on_and_begins_its_tries_anew() {
    let before = dead_letter();
    let after = apply(&before, &Change::Redrive).unwrap();
    assert_eq!(
        (after.state, after.id, after.rev),
        (State::Queued, before.id, before.rev.next())
    );
    assert_eq!((after.call, after.calls_made), (before.call, before.calls_made));
    assert_eq!((after.tries, after.dead, after.redriven), (0, false, 1));
    assert_eq!(
        (after.deadline, after.latest_start, after.ended_at),
        (None, None, None)
    );
    assert_eq!((after.outcome, after.last_error), (None, None));
    assert!(before.last_error.is_some());
}

#[test]
fn only_dead_letters_are_redriven_or_dismissed() {
    let dismissed = apply(&dead_letter(), &Change::Dismiss).unwrap();
    assert_eq!((dismissed.state, dismissed.dead), (State::Failed, false));
    assert!(dismissed.outcome.is_some());
    for change in [Change::Redrive, Change::Dismiss] {
        let word = change.as_str();
        assert_eq!(apply(&dismissed, &change), Err(Refused::NotDead { change: word }));
        for state in State::ALL {
            assert!(apply(&request(state), &change).is_err(), "{word} {state}");
        }
    }
}
