//! A call that nobody could vouch for comes to its end after all.

use crate::post::Upstream;
use crate::stage::{COST, RESERVE, Stage};
use smoother_core::request::OnIndeterminate;
use smoother_core::{CallEnding, CallNo, Outcome, Request, State, Tokens};

/// A request whose first call is under way while its lane changes hands.
async fn lost(stage: &mut Stage, policy: OnIndeterminate) -> (Request, Upstream) {
    let request = stage.arrive(|row| row.on_indeterminate = policy).await;
    let first = stage.release().await;
    stage.deliver(0, &first);
    let call = stage.upstream().await;
    assert_eq!(call.call.number, CallNo::new(1));
    stage.change_hands().await;
    (request, call)
}

/// Endings and charges of the request's calls.
async fn settled(stage: &Stage, request: &Request) -> Vec<(CallEnding, Tokens)> {
    let calls = stage.audit(request.id).await;
    let settlements = calls.into_iter().filter_map(|call| call.settlement);
    settlements.map(|end| (end.ending, end.charged)).collect()
}

#[tokio::test]
async fn an_answer_to_a_lost_call_changes_nothing_of_the_one_after_it() {
    for late_first in [true, false] {
        let mut stage = Stage::new().await;
        let (request, late) = lost(&mut stage, OnIndeterminate::Retry).await;
        let second = stage.release().await;
        assert_eq!((second.request, second.call), (request.id, CallNo::new(2)));
        stage.deliver(1, &second);
        let current = stage.upstream().await;
        assert_eq!(current.call.number, second.call);
        if late_first {
            late.answer("late");
            current.answer("current");
        } else {
            current.answer("current");
            late.answer("late");
        }
        let view = stage.rest().await;
        let row = stage.row(request.id).await;
        assert_eq!(
            (row.state, row.calls_made, row.call),
            (State::Completed, 2, second.call)
        );
        assert_eq!(stage.result(request.id).await.unwrap(), "current");
        assert_eq!(
            settled(&stage, &request).await,
            [
                (CallEnding::Indeterminate, Tokens::new(RESERVE)),
                (CallEnding::Completed, Tokens::new(COST)),
            ]
        );
        assert_eq!((view.tokens.used, view.running), (RESERVE + COST, 0));
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_called_again_fails_and_stays_failed() {
    let mut stage = Stage::new().await;
    let (request, late) = lost(&mut stage, OnIndeterminate::Fail).await;
    late.answer("late");
    let view = stage.rest().await;
    let row = stage.row(request.id).await;
    assert_eq!((row.state, row.calls_made), (State::Failed, 1));
    let Some(Outcome::Failure(failure)) = &row.outcome else {
        panic!("no failure")
    };
    assert!(
        failure.message.contains("on_indeterminate"),
        "{}",
        failure.message
    );
    assert_eq!(stage.result(request.id).await, None);
    assert_eq!(
        settled(&stage, &request).await,
        [(CallEnding::Indeterminate, Tokens::new(RESERVE))]
    );
    assert_eq!((view.tokens.used, view.running), (RESERVE, 0));
}
