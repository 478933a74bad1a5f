//! A call that was sent with a smaller max_tokens than its caller's.

use super::*;

/// RUNNING, sent with 100 tokens of output.
fn running() -> Request {
    Request {
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(100),
            expected_output: Tokens::new(60),
        },
        ..request(State::Running)
    }
}

#[test]
fn an_answer_cut_short_is_called_again_with_the_callers_own_value_and_spends_no_try() {
    let before = running();
    assert!(before.is_right_sized() && !before.is_rerun());
    let again = apply(&before, &Change::Rerun { call: before.call }).unwrap();
    assert_eq!((again.state, again.tries), (State::Queued, before.tries));
    assert_eq!((again.call, again.calls_made), (before.call, before.calls_made));
    assert_eq!(again.deadline, before.deadline);
    assert!(!again.is_right_sized() && again.is_rerun());
    let own = Estimate {
        input: Tokens::new(10),
        max_output: Tokens::new(4_096),
        expected_output: Tokens::new(100),
    };
    assert_eq!(again.estimate, own, "it is known to be longer than what was sent");
    assert_eq!(again.own_max_output(), before.own_max_output());
}

#[test]
fn a_request_that_waits_is_resized_once_and_in_its_own_lane() {
    let before = Request {
        right_size: Some(RightSize { own: None, ..sized() }),
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(4_096),
            expected_output: Tokens::new(820),
        },
        ..request(State::Queued)
    };
    let resize = |max| Change::Resize {
        lane: before.lane.clone(),
        max_output: Tokens::new(max),
    };
    let after = apply(&before, &resize(640)).unwrap();
    assert_eq!((after.state, after.call), (State::Queued, before.call));
    assert_eq!(after.own_max_output(), Tokens::new(4_096));
    let (max, expected) = (after.estimate.max_output, after.estimate.expected_output);
    assert_eq!((max, expected), (Tokens::new(640), Tokens::new(640)));
    assert_eq!(apply(&after, &resize(320)), Err(Refused::Sized));
    assert_eq!(apply(&before, &resize(4_096)), Err(Refused::Sized));
    let elsewhere = Change::Resize {
        lane: LaneId::new("left-behind").unwrap(),
        max_output: Tokens::new(640),
    };
    assert!(matches!(apply(&before, &elsewhere), Err(Refused::Lane { .. })));
    for state in [State::Released, State::Running, State::Completed] {
        let gone = Request {
            state,
            ..before.clone()
        };
        assert!(
            matches!(apply(&gone, &resize(640)), Err(Refused::State { .. })),
            "{state}"
        );
    }
}

#[test]
fn it_is_done_once_and_only_where_the_value_was_a_smaller_one() {
    let before = running();
    let mut again = apply(&before, &Change::Rerun { call: before.call }).unwrap();
    again.state = State::Running;
    let twice = apply(&again, &Change::Rerun { call: again.call });
    assert_eq!(twice, Err(Refused::OwnSize));
    let plain = Request {
        right_size: None,
        ..running()
    };
    assert_eq!(
        apply(&plain, &Change::Rerun { call: plain.call }),
        Err(Refused::OwnSize)
    );
    let late = Change::Rerun { call: CallNo::new(2) };
    assert!(matches!(apply(&before, &late), Err(Refused::Call { .. })));
}

#[test]
fn the_next_lane_has_a_size_of_its_own_and_none_for_what_was_cut_short() {
    let divert = |row: &Request| {
        let change = Change::Divert {
            from: Leaving::Call(row.call),
            cause: HopCause::Error(ModelErrorKind::NotFound),
            at: NOW,
        };
        apply(row, &change).unwrap()
    };
    let to = |own_output| Hop::Lane {
        lane: LaneId::new("haiku").unwrap(),
        model: ModelId::new("h").unwrap(),
        estimate: Estimate {
            max_output: Tokens::new(64),
            ..Estimate::default()
        },
        own_output,
    };
    let row = |own_output| Request {
        fallback: vec![to(own_output)],
        ..running()
    };
    let sized = divert(&row(Some(Tokens::new(2_000))));
    assert_eq!(sized.estimate.max_output, Tokens::new(64));
    assert_eq!(sized.own_max_output(), Tokens::new(2_000));
    let plain = divert(&row(None));
    assert!(!plain.is_right_sized());

    let mut again = row(Some(Tokens::new(2_000)));
    again = apply(&again, &Change::Rerun { call: again.call }).unwrap();
    again.state = State::Running;
    let next = divert(&again);
    assert!(!next.is_right_sized() && next.is_rerun());
    assert_eq!(next.estimate.max_output, Tokens::new(2_000));
}

#[test]
fn it_is_stored_and_an_older_row_has_none() {
    let row = running();
    let stored = serde_json::to_value(&row).unwrap();
    assert_eq!(serde_json::from_value::<Request>(stored.clone()).unwrap(), row);
    let mut older = stored;
    older.as_object_mut().unwrap().remove("right_size");
    let older: Request = serde_json::from_value(older).unwrap();
    assert!(older.right_size.is_none() && older.rerun_estimate().is_none());
}
