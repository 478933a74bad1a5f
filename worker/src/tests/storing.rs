//! A call has ended and the store does not take it.

use super::faults::Fault;
use super::stage::{Stage, answer, refusal, to_the_end};
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{Live, PayloadKind, Payloads, Store, StoreError, Update};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{
    CallEnding, ModelErrorKind, Operation, Outcome, Settlement, State, ThrottleCause, Timestamp, Tokens,
};

const COST: Tokens = Tokens::new(90 + 5 * 40);

fn full() -> StoreError {
    StoreError::Full("no space left".to_owned())
}

fn failed() -> StoreError {
    StoreError::Failed("input/output error".to_owned())
}

/// The one settlement of the request's one call.
async fn settlement(stage: &Stage, id: smoother_core::RequestId) -> Settlement {
    let calls = stage.store.calls(id).await.unwrap();
    assert_eq!(calls.len(), 1);
    calls
        .into_iter()
        .next()
        .unwrap()
        .settlement
        .expect("an open call")
}

#[tokio::test]
async fn an_answer_waits_for_a_store_that_is_full_or_fails() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(answer("{\"output\":1}"));
    stage.faults.fail_payloads([full()]);
    stage.faults.fail_ends([full(), failed()]);
    stage.release(row.id).await;

    let Event::Ended { charged, again, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!((charged, again), (COST, Again::No), "the lane waits for no store");
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Completed);
    assert_eq!(ended.result.as_deref(), Some(b"{\"output\":1}".as_slice()));
    assert!(stage.faults.are_spent());
    assert_eq!(stage.store.get(row.id).await.unwrap().unwrap(), ended.request);
    let result = stage.store.fetch(row.id, PayloadKind::Result).await.unwrap();
    assert_eq!(result.unwrap(), "{\"output\":1}");
    let settled = settlement(&stage, row.id).await;
    assert_eq!((settled.ending, settled.charged), (CallEnding::Completed, COST));
}

#[tokio::test]
async fn a_request_that_waits_again_comes_back_when_the_store_does() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(refusal(ModelErrorKind::Throttled(ThrottleCause::Tokens)));
    stage.faults.fail_ends([full()]);
    stage.release(row.id).await;

    let Event::Ended { charged, again, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(
        (charged, again),
        (Tokens::ZERO, Again::No),
        "its place is free meanwhile"
    );
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(stored.state, State::Running);
    let Event::Arrived(waiting) = stage.told().await else {
        panic!("its lane was not told that it waits")
    };
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((stored.state, waiting.id), (State::Queued, row.id));
    assert_eq!(
        (waiting.last_call, waiting.not_before),
        (stored.call, stored.not_before)
    );
    assert_eq!(waiting.reserve, stored.estimate.reserve(5));
}

#[tokio::test]
async fn an_answer_that_can_never_be_kept_fails_its_request_and_keeps_its_charge() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(answer("{\"output\":1}"));
    stage.faults.fail_payloads(std::iter::repeat_n(failed(), 5));
    stage.release(row.id).await;

    let (_, ended) = to_the_end(reader).await;
    let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
        panic!("no failure")
    };
    assert_eq!((ended.request.state, failure.status), (State::Failed, 500));
    assert!(
        failure.message.contains("input/output error"),
        "{}",
        failure.message
    );
    assert_eq!(ended.result, None);
    let settled = settlement(&stage, row.id).await;
    assert_eq!((settled.ending, settled.charged), (CallEnding::Completed, COST));
}

#[tokio::test]
async fn an_end_that_nobody_can_store_is_told_and_left_to_the_next_start() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::ConverseStream, |_| {}).await;
    let mut reader = stage.hub.subscribe(row.id);
    stage.script(refusal(ModelErrorKind::Throttled(ThrottleCause::Tokens)));
    let damaged = StoreError::Damaged("a row does not match its checksum".to_owned());
    stage.faults.fail_ends([damaged.clone()]);
    stage.release(row.id).await;

    let Event::Ended { again, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(again, Again::No, "the lane keeps no place for it");
    let told = loop {
        match reader.next().await.expect("the log ended without a word") {
            Update::NotStored(error) => break error,
            Update::Ended(_) | Update::State(_) => panic!("told of an end that is not stored"),
            _ => {}
        }
    };
    assert_eq!(told, damaged);
    assert!(reader.next().await.is_none());
    stage.drain().await;

    // The next start finds the call open.
    let found = stage.store.recover(&row.lane, Timestamp::EPOCH).await.unwrap();
    assert_eq!((found.waiting[0].id, found.waiting[0].calls_made), (row.id, 1));
    let settled = settlement(&stage, row.id).await;
    assert_eq!(
        (settled.ending, settled.charged),
        (CallEnding::Indeterminate, Tokens::new(1_100))
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_read_now_is_no_fault_of_the_upstreams() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.faults.spoil_fetch(Fault::Fails(failed()));
    stage.release(row.id).await;
    let Event::Ended {
        charged,
        again,
        health,
        ..
    } = stage.ended().await
    else {
        unreachable!()
    };
    assert_eq!((charged, health), (Tokens::ZERO, CallHealth::Unknown));
    assert!(matches!(again, Again::Retry(_)), "{again:?}");
    assert!(stage.model.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_claim_that_could_not_be_judged_is_left_to_the_next_who_hears_of_it() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let released = stage.record_release(row.id).await;
    stage.faults.fail_changes([failed()]);
    let unjudged = stage.worker.take(released.clone(), None).await.unwrap_err();
    assert!(unjudged.to_string().contains("input/output error"), "{unjudged}");
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(stored.state, State::Released);
    stage.script(answer("{}"));
    for _ in 0..2 {
        assert_eq!(stage.worker.take(released.clone(), None).await, Ok(()));
    }
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.calls_made),
        (State::Completed, 1),
        "called once"
    );
    assert!(stage.faults.are_spent());
}
