//! How long a caller on the line is kept waiting, and what it hears then. Never 202.

use super::call;
use crate::testbed::{Bed, MODEL, converse, post};
use axum::body::Body;
use http::Request;
use smoother_core::ports::Clock;
use smoother_core::{Change, Millis, State, ThrottleCause};
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
    let told = said.exception(429, "ThrottlingException");
    for word in [
        "server.sync_timeout_ms = 900000 passed",
        &format!("job {id} has waited 900000 ms for the quota of lane main"),
        "A retry of the same call joins it",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert_eq!(said.header("x-smoother-queue-ms"), "900000");
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
    let told = said.exception(503, "ServiceUnavailableException");
    assert!(
        told.contains("server.sync_timeout_ms = 900000 passed while the model was answering"),
        "{told}"
    );
    assert_eq!(said.header("retry-after"), "1");
    assert_eq!(said.header("x-smoother-calls"), "1");
}

#[tokio::test(start_paused = true)]
async fn a_join_is_promised_only_to_whom_it_is_open() {
    for (headers, word, state) in [
        (&[][..], "It is called off", State::Cancelled),
        (
            &[
                ("amz-sdk-invocation-id", "a1"),
                ("amz-sdk-request", "attempt=3; max=3"),
            ],
            "It is called off",
            State::Cancelled,
        ),
        (
            &[("x-smoother-on-disconnect", "finish")],
            "It goes on; GET /v1/jobs/",
            State::Queued,
        ),
    ] {
        let bed = Bed::new();
        let caller = call(&bed, with(headers));
        let id = bed.arrived().await.id;
        let said = caller.await.unwrap();
        let told = said.exception(429, "ThrottlingException");
        assert!(told.contains(word) && !told.contains("joins it"), "{told}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bed.store.row(id).unwrap().state, state);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_join_comes_back_when_it_would_have_started() {
    // The lanes here forecast a start 60 s after the beginning.
    for (headers, seconds) in [(&[][..], "50"), (&[("idempotency-key", "k")], "1")] {
        let bed = Bed::with(|config| config.server.sync_timeout = Millis::from_secs(10));
        let said = call(&bed, with(headers)).await.unwrap();
        assert_eq!(said.header("retry-after"), seconds);
        assert_eq!(said.header("x-smoother-queue-ms"), "10000");
    }
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
    let told = said.exception(429, "ThrottlingException");
    for word in [
        "x-smoother-max-wait-ms = 2000 passed",
        "waited 2000 ms",
        "lane main",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert!(!told.contains("joins"), "it has ended: {told}");
    assert_eq!(said.header("retry-after"), "1");
    assert_eq!(said.header("x-smoother-queue-ms"), "2000");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expires_while_it_runs_is_unavailable() {
    let bed = Bed::new();
    let caller = call(&bed, with(&[("x-smoother-timeout-ms", "5000")]));
    let id = bed.arrived().await.id;
    bed.start(id);
    tokio::time::sleep(Duration::from_secs(5)).await;
    bed.end(id, &Change::Expire { at: bed.clock.now() }, None);
    let said = caller.await.unwrap();
    let told = said.exception(503, "ServiceUnavailableException");
    assert!(told.contains("x-smoother-timeout-ms = 5000 passed"), "{told}");
    assert_eq!(said.header("x-smoother-queue-ms"), "0");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expires_while_it_waits_again_is_throttled() {
    let bed = Bed::new();
    let caller = call(
        &bed,
        with(&[
            ("x-smoother-timeout-ms", "5000"),
            ("x-smoother-max-wait-ms", "1000"),
        ]),
    );
    let id = bed.arrived().await.id;
    let call = bed.start(id).call;
    let again = Change::Requeue {
        call,
        not_before: bed.clock.now(),
        throttle: Some(ThrottleCause::Tokens),
        error: None,
        spends_try: false,
    };
    bed.store.apply(id, &again).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    bed.end(id, &Change::Expire { at: bed.clock.now() }, None);
    let said = caller.await.unwrap();
    let told = said.exception(429, "ThrottlingException");
    assert!(
        told.contains("x-smoother-timeout-ms = 5000 passed") && told.contains("waited 5000 ms"),
        "its wait until the start was kept: {told}"
    );
    assert_eq!(said.header("x-smoother-queue-ms"), "5000");
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

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_process_lives_whatever_limit_is_its_own() {
    for (own, lasts) in [(Some("1800000"), 885_000), (Some("5000"), 7_000), (None, 885_000)] {
        let bed = Bed::new();
        bed.ingest.answer_by(bed.clock.now() + Millis::from_secs(885));
        let headers = [
            ("idempotency-key", "k"),
            ("x-smoother-timeout-ms", own.unwrap_or_default()),
        ];
        let caller = call(&bed, with(if own.is_some() { &headers } else { &headers[..1] }));
        let id = bed.arrived().await.id;
        let told = caller.await.unwrap().exception(429, "ThrottlingException");
        let arrived_at = bed.store.row(id).unwrap().arrived_at;
        assert_eq!(bed.clock.now().since(arrived_at), Millis::new(lasts), "{own:?}");
        assert_eq!(
            told.contains("left to this invocation = 885000 passed"),
            lasts == 885_000,
            "{told}"
        );
        let deadline = own.map(|own| arrived_at + Millis::new(own.parse().unwrap()));
        assert_eq!(
            bed.store.row(id).unwrap().deadline,
            deadline,
            "the request has its own"
        );
        assert_eq!(
            bed.store.row(id).unwrap().state,
            State::Queued,
            "a retry joins it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_stored_waits_for_its_answer_although_its_lane_could_not_be_told() {
    let bed = Bed::new();
    bed.store.commit_out_of_order();
    bed.lanes.fail();
    let caller = call(&bed, with(&[("x-smoother-timeout-ms", "5000")]));
    let told = caller.await.unwrap().exception(429, "ThrottlingException");
    assert!(told.contains("x-smoother-timeout-ms = 5000 passed"), "{told}");
}
