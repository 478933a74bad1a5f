//! What is told of an end, to whom, and how often.

use super::*;
use crate::outbox::Notify;
use bytes::Bytes;
use serde_json::{Value, json};
use smoother_core::ports::{
    BoxFuture, Clock, ConnectionId, Connections, Mailbox, Message, OutboxEntry, PayloadKind, PayloadRef,
    Payloads, Pending, Pointer, Pushed, QueueError, Sockets, StoreError,
};
use smoother_core::request::Fresh;
use smoother_core::{
    Door, Estimate, Failure, LaneId, ModelHead, ModelId, Operation, Outcome, Request, RequestId, Rev, State,
    TenantId, Timestamp,
};
use std::future::ready;
use std::sync::{Arc, Mutex};

const ID: RequestId = RequestId::from_bytes([3; 16]);

#[derive(Default)]
struct World {
    result: Mutex<Bytes>,
    fetched: Mutex<u32>,
    posted: Mutex<Vec<Message>>,
    refuses: Mutex<bool>,
    unread: Mutex<bool>,
    unlisted: Mutex<bool>,
    pushed: Mutex<Vec<(String, String)>>,
    closed: Mutex<Vec<String>>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(5_000)
    }
}

impl Payloads for World {
    fn keep(&self, _: RequestId, _: PayloadKind, _: Bytes) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        Box::pin(ready(Err(StoreError::Failed("not of this test".to_owned()))))
    }
    fn fetch(&self, _: RequestId, _: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        *self.fetched.lock().unwrap() += 1;
        Box::pin(ready(Ok(Some(self.result.lock().unwrap().clone()))))
    }
    fn place(&self, id: RequestId, _: PayloadKind) -> BoxFuture<'_, Result<Option<Pointer>, StoreError>> {
        let pointer = Pointer {
            bucket: "ours".to_owned(),
            key: format!("results/{id}/x"),
        };
        Box::pin(ready(Ok(Some(pointer))))
    }
}

impl Mailbox for World {
    fn post(&self, message: Message) -> Pending<Result<(), QueueError>> {
        if *self.refuses.lock().unwrap() {
            let cause = "AccessDenied".to_owned();
            let queue = "the results queue";
            return Box::pin(ready(Err(QueueError::Failed { queue, cause })));
        }
        self.posted.lock().unwrap().push(message);
        Box::pin(ready(Ok(())))
    }
}

impl Sockets for World {
    fn push(&self, to: &ConnectionId, text: String) -> BoxFuture<'_, Result<Pushed, QueueError>> {
        if *self.unread.lock().unwrap() && to.as_str() == "here" {
            let (queue, cause) = ("the WebSocket API", "LimitExceededException".to_owned());
            return Box::pin(ready(Err(QueueError::Failed { queue, cause })));
        }
        let gone = to.as_str() == "gone";
        if !gone {
            self.pushed.lock().unwrap().push((to.to_string(), text));
        }
        Box::pin(ready(Ok(if gone { Pushed::Gone } else { Pushed::Delivered })))
    }
}

impl Connections for World {
    fn opened(&self, _: &ConnectionId, _: &TenantId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
    fn tenant(&self, _: &ConnectionId) -> BoxFuture<'_, Result<Option<TenantId>, StoreError>> {
        Box::pin(ready(Ok(None)))
    }
    fn subscribe(&self, _: &ConnectionId, _: RequestId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
    fn subscribers(&self, _: RequestId) -> BoxFuture<'_, Result<Vec<ConnectionId>, StoreError>> {
        if *self.unlisted.lock().unwrap() {
            return Box::pin(ready(Err(StoreError::Failed("no answer".to_owned()))));
        }
        let names = ["gone", "here", "there"]
            .into_iter()
            .filter_map(ConnectionId::new);
        Box::pin(ready(Ok(names.collect())))
    }
    fn closed(&self, connection: &ConnectionId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.closed.lock().unwrap().push(connection.to_string());
        Box::pin(ready(Ok(())))
    }
}

fn herald(world: &Arc<World>) -> Herald {
    let outlets = Outlets {
        mailboxes: vec![world.clone()],
        sockets: Some((world.clone(), world.clone())),
    };
    Herald::new(world.clone(), world.clone(), outlets)
}

fn row(outcome: Outcome) -> Request {
    let fresh = Request::fresh(Fresh {
        id: ID,
        tenant: TenantId::new("acme").unwrap(),
        lane: LaneId::new("main").unwrap(),
        model: ModelId::new("m").unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at: Timestamp::from_millis(1_000),
        body_hash: [0; 32],
        body_bytes: 2,
        estimate: Estimate::default(),
    });
    let state = match outcome {
        Outcome::Answer { .. } => State::Completed,
        Outcome::Failure(_) => State::Failed,
    };
    Request {
        state,
        rev: Rev::new(7),
        outcome: Some(outcome),
        ended_at: Some(Timestamp::from_millis(4_000)),
        ..fresh
    }
}

fn answer(bytes: u64) -> Request {
    row(Outcome::Answer {
        head: ModelHead::default(),
        usage: None,
        bytes,
    })
}

async fn told(world: &Arc<World>, request: Request) -> Value {
    let entry = OutboxEntry { seq: 1, request };
    herald(world).ended(&entry).await.unwrap();
    let posted = world.posted.lock().unwrap().pop().unwrap();
    serde_json::from_str(&posted.body).unwrap()
}

fn with_result(result: &'static [u8]) -> Arc<World> {
    let world = World::default();
    *world.result.lock().unwrap() = Bytes::from_static(result);
    Arc::new(world)
}

#[tokio::test]
async fn a_small_result_travels_in_the_message() {
    let world = with_result(br#"{"output": "hello", "n": 1.0}"#);
    let event = told(&world, answer(29)).await;
    assert_eq!(event["type"], "ended");
    assert_eq!(event["event_id"], format!("{ID}:7"));
    assert_eq!(event["job"]["status"], "COMPLETED");
    assert_eq!(event["result"]["output"], "hello");
    assert!(event.get("result_at").is_none());

    let event = told(&with_result(b"\x00\x01frames"), answer(8)).await;
    assert_eq!(event["result_base64"], "AAFmcmFtZXM=");
    assert!(event.get("result").is_none());
}

#[tokio::test]
async fn a_large_result_is_pointed_to_and_not_read() {
    let world = with_result(b"{}");
    let event = told(&world, answer(4_097)).await;
    assert!(event.get("result").is_none() && event.get("result_base64").is_none());
    assert_eq!(event["result_at"]["s3"]["key"], format!("results/{ID}/x"));
    assert_eq!(event["job"]["result_url"], format!("/v1/jobs/{ID}/result"));
    assert_eq!(*world.fetched.lock().unwrap(), 0);
}

/// The largest result that travels, in its longest form, stays far below what a queue, a topic (256 KiB) or a frame of a
/// WebSocket (32 KB) takes; one byte more is pointed to.
#[tokio::test]
async fn the_largest_message_fits_everywhere() {
    let world = with_result(&[0xff; 4_096]);
    let told_inside = told(&world, answer(4_096)).await;
    assert!(told_inside["result_base64"].is_string(), "{told_inside}");
    assert!(told_inside.to_string().len() < 16_000);
    let pointed = told(&world, answer(4_097)).await;
    assert!(
        pointed["result_base64"].is_null() && pointed["result"].is_null(),
        "{pointed}"
    );
    assert_eq!(pointed["result_at"]["s3"]["bucket"], "ours");
}

#[tokio::test]
async fn a_failure_says_why_and_points_nowhere() {
    let world = with_result(b"");
    let failure = Failure {
        kind: None,
        status: 400,
        exception: "ValidationException".to_owned(),
        message: "too long".to_owned(),
        headers: Vec::new(),
    };
    let event = told(&world, row(Outcome::Failure(failure))).await;
    assert_eq!(event["job"]["error"]["message"], "too long");
    assert!(event.get("result_at").is_none());
}

#[tokio::test]
async fn a_subscription_can_filter_by_attributes() {
    let world = with_result(b"{}");
    let entry = OutboxEntry {
        seq: 1,
        request: answer(2),
    };
    herald(&world).ended(&entry).await.unwrap();
    let attributes = json!(world.posted.lock().unwrap()[0].attributes);
    for pair in [
        ["Status", "COMPLETED"],
        ["Tenant", "acme"],
        ["Lane", "main"],
        ["Door", "job"],
    ] {
        assert!(
            attributes.as_array().unwrap().contains(&json!(pair)),
            "{attributes}"
        );
    }
}

#[tokio::test]
async fn subscribers_are_told_and_a_gone_one_is_forgotten() {
    let world = with_result(b"{}");
    told(&world, answer(2)).await;
    let pushed = world.pushed.lock().unwrap().clone();
    let told: Vec<&str> = pushed.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(told, ["here", "there"]);
    assert!(pushed[0].1.contains("\"event_id\""));
    assert_eq!(*world.closed.lock().unwrap(), ["gone"]);
}

#[tokio::test]
async fn one_that_cannot_be_told_keeps_nobody_from_hearing_and_is_told_again() {
    let world = with_result(b"{}");
    *world.refuses.lock().unwrap() = true;
    let entry = OutboxEntry {
        seq: 1,
        request: answer(2),
    };
    let error = herald(&world).ended(&entry).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert_eq!(world.pushed.lock().unwrap().len(), 2, "the connections were told");
}

#[tokio::test]
async fn a_connection_that_does_not_read_is_passed_over_and_has_nobody_told_again() {
    let world = with_result(b"{}");
    *world.unread.lock().unwrap() = true;
    let event = told(&world, answer(2)).await;
    assert_eq!(event["job"]["status"], "COMPLETED");
    let pushed = world.pushed.lock().unwrap().clone();
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].0, "there", "the others are told");
}

#[tokio::test]
async fn nobody_is_told_yet_while_it_is_not_known_who_listens() {
    let world = with_result(b"{}");
    *world.unlisted.lock().unwrap() = true;
    let entry = OutboxEntry {
        seq: 1,
        request: answer(2),
    };
    herald(&world).ended(&entry).await.unwrap_err();
    assert!(world.posted.lock().unwrap().is_empty(), "it would be told again");
}
