//! A call that ends after its request has.

use crate::stage::{COST, Stage};
use smoother_core::{CallEnding, Change, State, Timestamp};

async fn ended_while_running(state: State, end: fn(Timestamp) -> Change) {
    let mut stage = Stage::new().await;
    let request = stage.arrive(|_| {}).await;
    let released = stage.release().await;
    stage.deliver(0, &released);
    let call = stage.upstream().await;
    // The worker is not told: it answers as if nothing had been.
    stage.change(request.id, end(request.arrived_at)).await;
    let ended = stage.row(request.id).await;
    call.answer("too late");
    // And the release comes once more.
    stage.deliver(1, &released);
    let view = stage.rest().await;
    assert_eq!(ended.state, state);
    assert_eq!(stage.row(request.id).await, ended);
    assert_eq!(stage.result(request.id).await, None);
    let calls = stage.audit(request.id).await;
    let settlement = calls[0].settlement.as_ref().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (settlement.ending, settlement.charged.get()),
        (CallEnding::Completed, COST)
    );
    assert_eq!((view.tokens.used, view.running), (COST, 0));
}

#[tokio::test]
async fn the_answer_to_a_cancelled_request_is_settled_and_dropped() {
    ended_while_running(State::Cancelled, |at| Change::Cancel { at }).await;
}

#[tokio::test]
async fn the_answer_to_an_expired_request_is_settled_and_dropped() {
    ended_while_running(State::Expired, |at| Change::Expire { at }).await;
}
