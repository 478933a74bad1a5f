//! How long a caller on the line is kept waiting, and what it hears then. Never 202.

use super::call;
use crate::testbed::{Bed, MODEL, converse, post};
use axum::body::Body;
use http::Request;
use smoother_core::ports::Clock;
use smoother_core::{Change, Millis, State};
use std::time::Duration;

fn with(headers: &[(&str, &str)]) -> Request<Body> {
    post(&format!("/model/{MODEL}/converse"), headers, converse())
}

#[tokio::test(start_paused = true)]
async fn the_servers_limit_lets_a_retry_join() {
    let bed = Bed::new();
    let headers = [
        ("amz-sdk-invocation-id", "a1"),
        ("amz-sdk-request", "attempt=1; max=3"),
    ];
    let caller = call(&bed, with(&headers));
    let id = bed.arrived().await.id;
    assert_eq!(bed.store.row(id).unwrap().deadline, None);
    let said = caller.await.unwrap();
    assert_eq!(
        bed.clock.now().since(bed.store.row(id).unwrap().arrived_at),
        Millis::from_secs(900)
    );
    assert!(
        said.exception(429, "ThrottlingException")
            .contains(&id.to_string())
    );
    assert_eq!(said.header("retry-after"), "1");
    assert_eq!(said.header("x-smoother-job-id"), id.to_string());
    assert_eq!(
        bed.store.row(id).unwrap().state,
        State::Queued,
        "the request goes on"
    );
    let again = call(
        &bed,
        with(&[
            ("amz-sdk-invocation-id", "a1"),
            ("amz-sdk-request", "attempt=2; max=3"),
        ]),
    );
    bed.live.readers_are(id, 1).await;
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(again.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_called_unavailable_not_throttled() {
    let bed = Bed::new();
    let caller = call(&bed, with(&[("idempotency-key", "k")]));
    let id = bed.arrived().await.id;
    bed.start(id);
    let said = caller.await.unwrap();
    said.exception(503, "ServiceUnavailableException");
    assert_eq!(said.header("retry-after"), "1");
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_limits_are_the_requests() {
    let bed = Bed::new();
    let caller = call(
        &bed,
        with(&[
            ("x-smoother-timeout-ms", "5000"),
            ("x-smoother-max-wait-ms", "2000"),
        ]),
    );
    let waiting = bed.arrived().await;
    assert_eq!(waiting.deadline, Some(waiting.arrived_at + Millis::new(5_000)));
    assert_eq!(
        waiting.latest_start,
        Some(waiting.arrived_at + Millis::new(2_000))
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    bed.end(waiting.id, &Change::Expire { at: bed.clock.now() }, None);
    let said = caller.await.unwrap();
    assert!(said.exception(429, "ThrottlingException").contains("lane main"));
    assert_eq!(said.header("retry-after"), "1");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expires_while_it_runs_is_unavailable() {
    let bed = Bed::new();
    let caller = call(&bed, with(&[("x-smoother-timeout-ms", "5000")]));
    let id = bed.arrived().await.id;
    bed.start(id);
    tokio::time::sleep(Duration::from_secs(5)).await;
    bed.end(id, &Change::Expire { at: bed.clock.now() }, None);
    caller
        .await
        .unwrap()
        .exception(503, "ServiceUnavailableException");
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_answered_even_if_its_requests_end_is_not_told() {
    let bed = Bed::new();
    let caller = call(&bed, with(&[("x-smoother-timeout-ms", "5000")]));
    let id = bed.arrived().await.id;
    caller.await.unwrap().exception(429, "ThrottlingException");
    assert_eq!(
        bed.clock.now().since(bed.store.row(id).unwrap().arrived_at),
        Millis::new(7_000)
    );
}
