//! What each change writes besides the state.

use super::*;

#[test]
fn a_throttle_is_counted_and_spends_no_try() {
    let before = request(State::Running);
    let throttled = apply(&before, &requeue(before.call, Some(ThrottleCause::Tokens))).unwrap();
    assert_eq!(
        (throttled.tries, throttled.throttles[&ThrottleCause::Tokens]),
        (1, 1)
    );
    assert_eq!(
        (throttled.reserved, throttled.not_before),
        (Tokens::ZERO, Some(NOW + Millis::new(9)))
    );
    let failed = apply(&before, &requeue(before.call, None)).unwrap();
    assert_eq!((failed.tries, failed.throttles.len()), (2, 0));
    assert_eq!(failed.last_error, Some(ModelErrorKind::Cut));
}

#[test]
fn a_lost_call_follows_the_policy() {
    let mut before = request(State::Running);
    let lose = Change::Lose {
        call: before.call,
        at: NOW,
    };
    let retried = apply(&before, &lose).unwrap();
    assert_eq!(
        (retried.state, retried.tries, retried.calls_made),
        (State::Queued, 1, 3)
    );
    before.on_indeterminate = OnIndeterminate::Fail;
    let failed = apply(&before, &lose).unwrap();
    assert_eq!(failed.state, State::Failed);
    assert!(matches!(failed.outcome, Some(Outcome::Failure(failure)) if failure.status == 500));
}

#[test]
fn a_request_whose_calls_are_always_lost_ends_as_a_dead_letter() {
    let mut row = request(State::Running);
    row.door = Door::Job;
    let mut lost = 0;
    while row.state == State::Running {
        let lose = Change::Lose {
            call: row.call,
            at: NOW,
        };
        row = apply(&row, &lose).unwrap();
        lost += 1;
        if row.state == State::Queued {
            row.state = State::Running;
        }
    }
    assert_eq!((row.state, row.dead, lost), (State::Failed, true, 10));
    let Some(Outcome::Failure(failure)) = &row.outcome else {
        panic!("{:?}", row.outcome)
    };
    assert!(failure.message.contains("10 times"), "{}", failure.message);
    let again = apply(&row, &Change::Redrive).unwrap();
    assert_eq!((again.state, again.lost), (State::Queued, 0));
}

#[test]
fn an_end_keeps_what_it_was_told() {
    let before = request(State::Running);
    let complete = Change::Complete {
        call: before.call,
        answer: answer(),
        first_output_at: Some(NOW),
        at: START_BY,
    };
    let completed = apply(&before, &complete).unwrap();
    assert_eq!(
        (completed.outcome, completed.first_output_at),
        (Some(answer()), Some(NOW))
    );
    assert_eq!(completed.ended_at, Some(START_BY));
    let fail = Change::Fail {
        call: Some(before.call),
        failure: failure(),
        at: START_BY,
    };
    let failed = apply(&before, &fail).unwrap();
    assert_eq!(failed.outcome, Some(Outcome::Failure(failure())));
    assert_eq!(failed.last_error, Some(ModelErrorKind::Validation));
}
