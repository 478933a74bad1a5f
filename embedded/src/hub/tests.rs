//! The hub, as readers and runners see it.

use super::*;
use bytes::Bytes;
use smoother_core::model::ModelHead;
use smoother_core::ports::{Ended, StoreError};
use smoother_core::request::Fresh;
use smoother_core::{
    CallNo, Door, Estimate, LaneId, ModelId, Operation, Request, Rev, State, TenantId, Timestamp,
};
use std::task::{Context, Poll, Waker};

fn id(n: u8) -> RequestId {
    RequestId::from_bytes([n; 16])
}

fn frame(text: &'static str) -> Update {
    Update::Frame(Bytes::from_static(text.as_bytes()))
}

fn call(n: u32) -> Update {
    Update::Call(CallNo::new(n))
}

fn ended() -> Update {
    ended_at(Rev::default())
}

fn ended_at(rev: Rev) -> Update {
    let fresh = Request::fresh(Fresh {
        id: id(0),
        tenant: TenantId::default(),
        lane: LaneId::new("l").unwrap(),
        model: ModelId::new("m").unwrap(),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at: Timestamp::EPOCH,
        body_hash: [0; 32],
        body_bytes: 0,
        estimate: Estimate::default(),
    });
    let request = Request {
        state: State::Completed,
        rev,
        ..fresh
    };
    Update::Ended(Arc::new(Ended {
        request,
        result: None,
    }))
}

fn name(update: Option<Update>) -> String {
    match update {
        None => "nothing more".into(),
        Some(Update::State(state)) => state.to_string(),
        Some(Update::Call(number)) => format!("call {number}"),
        Some(Update::NotStored(error)) => error.to_string(),
        Some(Update::Head(_)) => "head".into(),
        Some(Update::Frame(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        Some(Update::Ended(_)) => "ended".into(),
    }
}

async fn rest(mut reader: Box<dyn Reader>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(update) = reader.next().await {
        seen.push(name(Some(update)));
    }
    seen
}

fn is_waiting<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(std::pin::Pin::new(future).poll(&mut context), Poll::Pending)
}

#[tokio::test]
async fn early_and_late_readers_read_the_same_to_the_end() {
    let hub = Hub::new();
    let early = hub.subscribe(id(1));
    hub.publish(id(1), Update::State(State::Released));
    hub.publish(id(1), call(1));
    hub.publish(id(1), Update::Head(Arc::new(ModelHead::default())));
    hub.publish(id(1), frame("a"));
    let late = hub.subscribe(id(1));
    assert_eq!(hub.readers(id(1)), 2);
    hub.publish(id(1), frame("b"));
    hub.publish(id(1), ended());
    hub.publish(id(1), frame("too late"));
    let expected = ["call 1", "head", "a", "b", "ended"];
    assert_eq!(rest(early).await, expected);
    assert_eq!(rest(late).await, expected);
    assert!(hub.is_empty());
}

#[tokio::test]
async fn a_new_call_takes_every_reader_to_its_beginning() {
    let hub = Hub::new();
    let mut reader = hub.subscribe(id(1));
    hub.publish(id(1), call(1));
    hub.publish(id(1), frame("a"));
    assert_eq!(name(reader.next().await), "call 1");
    hub.publish(id(1), call(2));
    hub.publish(id(1), frame("b"));
    assert_eq!(name(reader.next().await), "call 2");
    assert_eq!(name(reader.next().await), "b");
    hub.publish(id(1), ended());
    assert_eq!(name(reader.next().await), "ended");
    assert_eq!(name(reader.next().await), "nothing more");
    assert_eq!(name(reader.next().await), "nothing more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_wait_miss_nothing() {
    let hub = Hub::new();
    for round in 0..50 {
        let readers: Vec<_> = (0..4)
            .map(|_| tokio::spawn(rest(hub.subscribe(id(round)))))
            .collect();
        for _ in 0..20 {
            hub.publish(id(round), frame("x"));
        }
        hub.publish(id(round), ended());
        for reader in readers {
            assert_eq!(reader.await.unwrap().len(), 21);
        }
    }
    assert!(hub.is_empty());
}

#[tokio::test]
async fn logs_go_when_they_are_of_no_more_use() {
    let hub = Hub::new();
    drop(hub.subscribe(id(1)));
    assert!(hub.is_empty(), "nobody published");

    hub.publish(id(2), call(1));
    drop(hub.subscribe(id(2)));
    assert_eq!(hub.len(), 1, "it goes on without readers");
    hub.publish(id(2), ended());
    assert!(hub.is_empty(), "it ended without readers");

    let reader = hub.subscribe(id(2));
    assert_eq!(hub.readers(id(2)), 1);
    hub.publish(id(2), Update::State(State::Queued));
    drop(reader);
    assert!(hub.is_empty(), "a log made after the end goes with its reader");

    hub.publish(id(2), frame("late"));
    hub.publish(id(3), ended());
    assert!(hub.is_empty(), "nothing that comes after an end makes a log");
}

#[tokio::test]
async fn an_abort_reaches_the_runner_before_and_while_it_listens() {
    let hub = Hub::new();
    hub.publish(id(1), call(1));
    let mut listening = hub.aborted(id(1));
    assert!(is_waiting(&mut listening));
    hub.publish(id(1), frame("a"));
    assert!(is_waiting(&mut listening));
    hub.abort(id(1));
    listening.await;
    hub.aborted(id(1)).await;
}

#[tokio::test]
async fn the_end_frees_the_runner_and_an_ended_request_needs_no_abort() {
    let hub = Hub::new();
    hub.publish(id(1), call(1));
    let listening = hub.aborted(id(1));
    hub.publish(id(1), ended());
    listening.await;
    assert!(hub.is_empty());
    hub.abort(id(1));
    hub.aborted(id(1)).await;
    assert!(hub.is_empty());
    drop(hub.aborted(id(2)));
    assert!(hub.is_empty());
}

#[tokio::test]
async fn an_end_that_is_not_stored_ends_the_log_too() {
    let hub = Hub::new();
    let mut reader = hub.subscribe(id(1));
    let error = StoreError::Damaged("a row".to_owned());
    hub.publish(id(1), Update::NotStored(error.clone()));
    hub.publish(id(1), call(2));
    assert!(matches!(reader.next().await, Some(Update::NotStored(told)) if told == error));
    assert!(reader.next().await.is_none());
    drop(reader);
    assert!(hub.is_empty());
}

#[tokio::test]
async fn an_end_without_its_result_waits_for_the_runner_to_tell_it() {
    let hub = Hub::new();
    let mut reader = hub.subscribe(id(1));
    let runner = hub.aborted(id(1));
    hub.publish(id(1), call(1));
    hub.publish(id(1), ended());
    assert!(matches!(reader.next().await, Some(Update::Call(_))));
    let mut next = reader.next();
    let waker = Waker::noop();
    assert!(
        next.as_mut().poll(&mut Context::from_waker(waker)).is_pending(),
        "told without its result"
    );
    drop(next);
    // The runner dies without a word: what was withheld is told after all.
    drop(runner);
    assert!(matches!(reader.next().await, Some(Update::Ended(_))));
    drop(reader);
    assert!(hub.is_empty());
}

#[tokio::test]
async fn a_request_on_its_way_again_has_a_log_that_its_former_end_does_not_end() {
    let hub = Hub::new();
    let before = hub.subscribe(id(1));
    hub.publish(id(1), call(1));
    hub.publish(id(1), ended_at(Rev::new(4)));
    hub.reopen(id(1), Rev::new(5));

    let mut aborted = hub.aborted(id(1));
    assert!(is_waiting(&mut aborted), "its former end calls no call off");
    let after = hub.subscribe(id(1));
    hub.publish(id(1), call(2));
    // The outbox may tell the former end once more, and late.
    hub.publish(id(1), ended_at(Rev::new(4)));
    assert!(is_waiting(&mut aborted));
    assert_eq!(rest(before).await, ["call 1", "ended"]);
    hub.publish(id(1), frame("a"));
    hub.publish(id(1), Update::State(State::Running));
    drop(aborted);
    hub.publish(id(1), ended_at(Rev::new(9)));
    assert_eq!(rest(after).await[..2], ["call 2", "a"]);
    assert!(hub.is_empty());
}
