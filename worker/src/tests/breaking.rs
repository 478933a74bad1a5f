//! A call's runner breaks off: by a fault of this program, somewhere between its claim and its end.

use super::faults::Fault;
use super::stage::{Script, Stage, Step, answer, refusal, to_the_end};
use bytes::Bytes;
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{Live, Store, StoreError};
use smoother_core::scheduler::{Again, Event, Waiting};
use smoother_core::{
    CallEnding, Door, ModelErrorKind, ModelEvent, OnIndeterminate, Operation, Outcome, Request, RequestId,
    State, ThrottleCause, Tokens,
};

const RESERVE: Tokens = Tokens::new(1_100);

/// How each of the request's calls ended, and at which cost.
async fn settled(stage: &Stage, id: RequestId) -> Vec<(CallEnding, Tokens)> {
    let calls = stage.store.calls(id).await.unwrap();
    let settlements = calls
        .into_iter()
        .map(|call| call.settlement.expect("an open call"));
    settlements.map(|end| (end.ending, end.charged)).collect()
}

fn message(row: &Request) -> &str {
    let Some(Outcome::Failure(failure)) = &row.outcome else {
        panic!("no failure: {row:?}")
    };
    assert_eq!(
        (failure.status, failure.exception.as_str()),
        (500, "InternalServerException")
    );
    &failure.message
}

impl Stage {
    /// The next arrival on the lane queue.
    async fn arrived(&mut self) -> Waiting {
        loop {
            if let Event::Arrived(waiting) = self.told().await {
                return waiting;
            }
        }
    }

    async fn until_queued(&self, id: RequestId) -> Request {
        loop {
            let row = self.store.get(id).await.unwrap().unwrap();
            if row.state == State::Queued {
                return row;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn its_call_is_charged_in_full_and_made_again_while_the_caller_waits() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Panic);
    stage.script(answer("{\"output\":1}"));
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
    assert_eq!((charged, health), (RESERVE, CallHealth::Unknown));
    assert!(matches!(again, Again::Retry(_)), "{again:?}");
    let waiting = stage.until_queued(row.id).await;
    assert_eq!((waiting.tries, waiting.calls_made), (1, 1));
    assert_eq!(
        settled(&stage, row.id).await,
        [(CallEnding::Indeterminate, RESERVE)]
    );

    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(
        (ended.request.state, ended.request.calls_made),
        (State::Completed, 2)
    );
}

#[tokio::test]
async fn a_policy_that_forbids_another_call_fails_the_request() {
    let stage = Stage::new("");
    let fails = |row: &mut Request| row.on_indeterminate = OnIndeterminate::Fail;
    let row = stage.request(Operation::Converse, fails).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Panic);
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Failed);
    assert!(
        message(&ended.request).contains("on_indeterminate"),
        "{}",
        message(&ended.request)
    );
    assert_eq!(
        settled(&stage, row.id).await,
        [(CallEnding::Indeterminate, RESERVE)]
    );
}

#[tokio::test]
async fn what_breaks_every_call_ends_with_the_tries() {
    let stage = Stage::new("max_tries = 2\n");
    let row = stage
        .request(Operation::Converse, |row| row.door = Door::Job)
        .await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Panic);
    stage.release(row.id).await;
    stage.until_queued(row.id).await;
    stage.script(Script::Panic);
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(
        (ended.request.state, ended.request.calls_made),
        (State::Failed, 2)
    );
    assert!(ended.request.dead, "somebody has to look at it");
    assert!(message(&ended.request).contains("max_tries = 2"));
}

#[tokio::test]
async fn content_that_a_caller_on_the_wire_has_seen_is_not_taken_back() {
    let mut stage = Stage::new("");
    for (door, last) in [(Door::Sync, true), (Door::Job, false)] {
        let row = stage
            .request(Operation::ConverseStream, |request| request.door = door)
            .await;
        let reader = stage.hub.subscribe(row.id);
        let frame = ModelEvent::Frame {
            bytes: Bytes::from_static(b"te"),
            output: true,
        };
        stage.script(Script::Answer(vec![Step::Event(frame), Step::Panic]));
        stage.release(row.id).await;
        let Event::Ended { again, .. } = stage.ended().await else {
            unreachable!()
        };
        assert_eq!(again == Again::No, last, "{door:?}");
        if last {
            let (frames, ended) = to_the_end(reader).await;
            assert_eq!(frames, ["te"]);
            assert!(message(&ended.request).contains("has gone out"));
        }
    }
}

#[tokio::test]
async fn a_call_that_was_not_sent_yet_costs_nothing_whatever_the_policy() {
    let mut stage = Stage::new("");
    let fails = |row: &mut Request| row.on_indeterminate = OnIndeterminate::Fail;
    let row = stage.request(Operation::Converse, fails).await;
    stage.faults.spoil_fetch(Fault::DoesAndPanics);
    stage.release(row.id).await;
    let Event::Ended { charged, again, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(charged, Tokens::ZERO);
    assert!(matches!(again, Again::Retry(_)), "{again:?}");
    stage.until_queued(row.id).await;
    assert_eq!(
        settled(&stage, row.id).await,
        [(CallEnding::Aborted, Tokens::ZERO)]
    );
}

#[tokio::test]
async fn an_end_that_was_stored_before_stands_and_its_lane_hears_of_it() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(refusal(ModelErrorKind::Throttled(ThrottleCause::Tokens)));
    stage.faults.spoil_end(Fault::DoesAndPanics);
    stage.release(row.id).await;
    let waiting = stage.arrived().await;
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.tries), (State::Queued, 0));
    assert_eq!((waiting.id, waiting.last_call), (row.id, stored.call));
    assert_eq!(
        settled(&stage, row.id).await,
        [(CallEnding::Throttled, Tokens::ZERO)]
    );
}

#[tokio::test]
async fn an_end_that_was_stored_and_told_as_failed_is_no_request_lost() {
    let mut stage = Stage::new("");
    let failed = || Fault::DoesAndFails(StoreError::Failed("no answer came".to_owned()));
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(refusal(ModelErrorKind::Throttled(ThrottleCause::Tokens)));
    stage.faults.spoil_end(failed());
    stage.release(row.id).await;
    assert_eq!(stage.arrived().await.id, row.id);
    assert!(stage.faults.are_spent());

    let other = stage.request(Operation::Converse, |_| {}).await;
    stage.script(answer("{}"));
    stage.faults.spoil_end(failed());
    stage.release(other.id).await;
    stage.ended().await;
    stage.drain().await;
    let stored = stage.store.get(other.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.calls_made), (State::Completed, 1));
}
