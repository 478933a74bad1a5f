//! Idempotency keys and an SDK's attempts: one request, whoever asks.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post, send, stream_frame};
use axum::body::Body;
use http::Request;
use smoother_core::lifecycle::Change;
use smoother_core::ports::Clock;
use smoother_core::request::Failure;
use smoother_core::{Door, OnDisconnect, RequestId, State};
use std::time::Duration;

const INVOCATION: &str = "3f6b1a52-0f0f-4a53-9c55-27b4a2f3a111";

fn attempt(operation: &str, number: u32, body: impl Into<Body>) -> Request<Body> {
    let said = format!("attempt={number}; max=5");
    let headers = [
        ("amz-sdk-invocation-id", INVOCATION),
        ("amz-sdk-request", said.as_str()),
    ];
    post(&format!("/model/{MODEL}/{operation}"), &headers, body)
}

fn keyed(key: &str, body: impl Into<Body>) -> Request<Body> {
    post(
        &format!("/model/{MODEL}/converse"),
        &[("idempotency-key", key)],
        body,
    )
}

#[tokio::test]
async fn an_sdks_retry_joins_its_own_waiting_request() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let id = bed.arrived().await.id;
    let second = call(&bed, attempt("converse", 2, converse()));
    bed.live.readers_are(id, 2).await;
    first.abort();
    bed.live.readers_are(id, 1).await;
    bed.start(id);
    bed.complete(id, "{\"once\":1}");
    let said = second.await.unwrap();
    assert_eq!(said.body, "{\"once\":1}");
    assert_eq!(said.header("x-smoother-job-id"), id.to_string());
    assert_eq!(
        (bed.store.len(), bed.lanes.told()),
        (1, 1),
        "one request, one arrival"
    );
}

#[tokio::test]
async fn two_first_attempts_at_once_are_one_request() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let second = call(&bed, attempt("converse", 1, converse()));
    let id = bed.arrived().await.id;
    bed.live.readers_are(id, 2).await;
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(
        (first.await.unwrap().status, second.await.unwrap().status.as_u16()),
        (200.try_into().unwrap(), 200)
    );
    assert_eq!((bed.store.len(), bed.lanes.told()), (1, 1));
}

#[tokio::test]
async fn a_stream_is_replayed_from_its_first_frame() {
    let bed = Bed::new();
    let frames: Vec<_> = (0..4)
        .map(|n| stream_frame("contentBlockDelta", &format!("{{\"n\":{n}}}")))
        .collect();
    let first = call(&bed, attempt("converse-stream", 1, converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &frames[0]);
    bed.frame(id, &frames[1]);
    settle().await;
    first.abort();
    let second = call(&bed, attempt("converse-stream", 2, converse()));
    bed.live.readers_are(id, 1).await;
    settle().await;
    bed.frame(id, &frames[2]);
    bed.frame(id, &frames[3]);
    bed.complete(id, frames.concat());
    let said = second.await.unwrap();
    assert_eq!(said.body, frames.concat());
    assert_eq!(said.header("x-amzn-requestid"), "upstream-1");
    assert_eq!(said.messages().len(), 4);
}

#[tokio::test]
async fn what_has_ended_is_answered_from_the_store() {
    let bed = Bed::new();
    let frames = [stream_frame("messageStart", "{}"), stream_frame("metadata", "{}")].concat();
    for (operation, result, content_type) in [
        ("converse", b"{\"stored\":1}".to_vec(), "application/json"),
        ("converse-stream", frames, "application/vnd.amazon.eventstream"),
    ] {
        let key = [("idempotency-key", operation)];
        let request = || post(&format!("/model/{MODEL}/{operation}"), &key, converse());
        let first = call(&bed, request());
        let id = bed.arrived().await.id;
        bed.start(id);
        bed.complete(id, result.clone());
        first.await.unwrap();
        let told = bed.lanes.told();
        let again = send(bed.router(), request()).await;
        assert_eq!((again.status.as_u16(), &again.body[..]), (200, &result[..]));
        assert_eq!(again.header("content-type"), content_type);
        assert_eq!(again.header("x-smoother-job-id"), id.to_string());
        assert_eq!(again.header("x-amzn-requestid"), "upstream-1");
        assert_eq!(bed.lanes.told(), told);
    }
}

#[tokio::test]
async fn a_failure_is_told_again_not_tried_again() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.fail(id, 500, "InternalServerException", "it broke");
    first.await.unwrap().exception(500, "InternalServerException");
    let second = send(bed.router(), attempt("converse", 2, converse())).await;
    assert_eq!(second.exception(500, "InternalServerException"), "it broke");
    assert_eq!(bed.store.len(), 1);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_conflict() {
    let bed = Bed::new();
    let first = call(&bed, keyed("order-66", converse()));
    let id = bed.arrived().await.id;
    let other = converse().replace("there", "you");
    let said = send(bed.router(), keyed("order-66", other.clone()))
        .await
        .exception(409, "ConflictException");
    assert!(said.contains(&id.to_string()), "{said}");
    let stream = post(
        &format!("/model/{MODEL}/converse-stream"),
        &[("idempotency-key", "order-66")],
        converse(),
    );
    send(bed.router(), stream)
        .await
        .exception(409, "ConflictException");
    let job = format!(r#"{{"model":"{MODEL}","body":{other},"idempotency_key":"order-66"}}"#);
    assert!(
        send(bed.router(), post("/v1/jobs", &[], job))
            .await
            .problem(409)
            .contains(&id.to_string())
    );
    assert_eq!((bed.store.len(), bed.lanes.told()), (1, 1));
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(first.await.unwrap().status, 200);
}

#[tokio::test]
async fn an_attempt_after_the_call_was_given_up_is_a_new_request() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let old = bed.arrived().await.id;
    first.abort();
    bed.live.readers_are(old, 0).await;
    bed.ingest.cancel(old).await.unwrap();
    assert_eq!(bed.store.row(old).unwrap().state, State::Cancelled);
    bed.event().await;
    let second = call(&bed, attempt("converse", 2, converse()));
    let new = bed.arrived().await.id;
    assert_ne!(new, old);
    // The third attempt joins the second's.
    let third = call(&bed, attempt("converse", 3, converse()));
    bed.live.readers_are(new, 2).await;
    bed.start(new);
    bed.complete(new, "{}");
    assert_eq!(
        (
            second.await.unwrap().status.as_u16(),
            third.await.unwrap().status.as_u16()
        ),
        (200, 200)
    );
}

/// As its lane gives a waiting request up.
fn sheds(bed: &Bed, id: RequestId) {
    let failure = Failure {
        kind: None,
        status: 429,
        exception: "ThrottlingException".to_owned(),
        message: "it has made room".to_owned(),
        headers: vec![("retry-after".to_owned(), "7".to_owned())],
    };
    let change = Change::Fail {
        call: None,
        failure,
        at: bed.clock.now(),
    };
    bed.end(id, &change, None);
}

#[tokio::test]
async fn an_attempt_after_the_call_made_room_for_others_is_a_new_request() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let old = bed.arrived().await.id;
    sheds(&bed, old);
    let said = first.await.unwrap();
    assert_eq!(said.header("retry-after"), "7", "as its lane has said");
    said.exception(429, "ThrottlingException");
    let second = call(&bed, attempt("converse", 2, converse()));
    let new = bed.arrived().await.id;
    assert_ne!(new, old);
    bed.start(new);
    bed.complete(new, "{}");
    assert_eq!(second.await.unwrap().status.as_u16(), 200);
    // Under a key of its caller's own the first end holds.
    let first = call(&bed, keyed("order-66", converse()));
    let id = bed.arrived().await.id;
    sheds(&bed, id);
    first.await.unwrap().exception(429, "ThrottlingException");
    let again = send(bed.router(), keyed("order-66", converse())).await;
    assert_eq!(again.header("x-smoother-job-id"), id.to_string());
    again.exception(429, "ThrottlingException");
}

#[tokio::test(start_paused = true)]
async fn an_end_between_the_look_and_the_reading_is_not_missed() {
    let bed = Bed::new();
    let first = call(&bed, attempt("converse", 1, converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    first.abort();
    bed.live.readers_are(id, 0).await;
    let elsewhere = bed.clone();
    // Only stored: whoever told its readers has told it already.
    bed.store
        .after_read(move || elsewhere.complete_untold(id, "{\"stored\":1}"));
    let said = send(bed.router(), attempt("converse", 2, converse())).await;
    assert_eq!(said.body, "{\"stored\":1}");
}

fn job(key: &str) -> Request<Body> {
    let body = converse();
    post(
        "/v1/jobs",
        &[],
        format!(r#"{{"model":"{MODEL}","body":{body},"idempotency_key":"{key}"}}"#),
    )
}

#[tokio::test(start_paused = true)]
async fn a_job_that_joins_a_callers_request_outlives_the_caller() {
    for caller_leaves_first in [true, false] {
        let bed = Bed::new();
        let caller = call(&bed, keyed("both", converse()));
        let id = bed.arrived().await.id;
        bed.live.readers_are(id, 1).await;
        if caller_leaves_first {
            caller.abort();
            bed.live.readers_are(id, 0).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        let said = send(bed.router(), job("both")).await;
        assert_eq!(
            (said.status.as_u16(), said.json()["id"].as_str()),
            (202, Some(id.to_string().as_str())),
            "one key, one id"
        );
        let row = bed.store.row(id).unwrap();
        assert_eq!((row.door, row.on_disconnect), (Door::Job, OnDisconnect::Finish));
        caller.abort();
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(bed.store.row(id).unwrap().state, State::Queued);
        assert_eq!(bed.lanes.told(), 1);
        // The next process owes it to the job, too.
        let bed = bed.restarted();
        bed.ingest.await_return(&bed.store.row(id).unwrap());
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(bed.store.row(id).unwrap().state, State::Queued);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_joins_a_job_changes_nothing_by_leaving() {
    let bed = Bed::new();
    send(bed.router(), job("both")).await;
    let id = bed.arrived().await.id;
    let caller = call(&bed, keyed("both", converse()));
    bed.live.readers_are(id, 1).await;
    let rev = bed.store.row(id).unwrap().rev;
    caller.abort();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let row = bed.store.row(id).unwrap();
    assert_eq!((row.state, row.door, row.rev), (State::Queued, Door::Job, rev));
}
