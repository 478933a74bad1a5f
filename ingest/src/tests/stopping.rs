//! A process that stops, a full disk, a lane that is gone.

use super::{call, settle};
use crate::testbed::{Bed, Fault, MODEL, converse, post, send};
use axum::body::Body;
use http::Request;
use smoother_core::State;
use smoother_core::scheduler::{Event, Gone};
use std::time::Duration;

fn good() -> Request<Body> {
    post(&format!("/model/{MODEL}/converse"), &[], converse())
}

fn job() -> Request<Body> {
    post(
        "/v1/jobs",
        &[],
        format!(r#"{{"model":"{MODEL}","prompt":"Hello"}}"#),
    )
}

#[tokio::test(start_paused = true)]
async fn stopping_admits_nothing_sends_the_waiting_away_and_lets_the_running_finish() {
    let bed = Bed::new();
    let headers = [
        ("amz-sdk-invocation-id", "a"),
        ("amz-sdk-request", "attempt=1; max=3"),
    ];
    let waiting = call(
        &bed,
        post(&format!("/model/{MODEL}/converse"), &headers, converse()),
    );
    let left = bed.arrived().await.id;
    let without_return = call(&bed, good());
    let gone = bed.arrived().await.id;
    let running = call(&bed, good());
    let id = bed.arrived().await.id;
    bed.start(id);
    settle().await;
    bed.ingest.drain().await;
    assert!(bed.ingest.is_draining());
    let said = waiting.await.unwrap();
    said.exception(503, "ServiceUnavailableException");
    assert_eq!(said.header("retry-after"), "1");
    let refused = send(bed.router(), good()).await;
    refused.exception(503, "ServiceUnavailableException");
    let refused = send(bed.router(), job()).await;
    refused.problem(503);
    assert_eq!(
        (
            refused.header("retry-after"),
            refused.json()["retry_after"].as_u64()
        ),
        ("1", Some(1))
    );
    bed.complete(id, "{}");
    assert_eq!(running.await.unwrap().status, 200);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        bed.store.row(left).unwrap().state,
        State::Queued,
        "it is the next process's"
    );
    without_return
        .await
        .unwrap()
        .exception(503, "ServiceUnavailableException");
    assert_eq!(
        bed.store.row(gone).unwrap().state,
        State::Cancelled,
        "nobody can join it any more"
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_gone_callers() {
    let bed = Bed::new();
    let headers = [
        ("amz-sdk-invocation-id", "a"),
        ("amz-sdk-request", "attempt=1; max=3"),
    ];
    let caller = call(
        &bed,
        post(&format!("/model/{MODEL}/converse"), &headers, converse()),
    );
    let id = bed.arrived().await.id;
    bed.live.readers_are(id, 1).await;
    caller.abort();
    bed.live.readers_are(id, 0).await;
    settle().await;
    bed.ingest.drain().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bed.store.row(id).unwrap().state, State::Queued);
}

#[tokio::test]
async fn a_full_disk_refuses_and_takes_back_what_the_lane_was_told() {
    let bed = Bed::new();
    bed.store.fail(Some(Fault::Full));
    let said = send(bed.router(), good()).await;
    assert!(
        said.exception(503, "ServiceUnavailableException")
            .contains("no space left")
    );
    let id = bed.arrived().await.id;
    assert_eq!(
        bed.event().await,
        Event::Left {
            request: id,
            why: Gone::Elsewhere
        }
    );
    let said = send(bed.router(), job()).await;
    assert!(said.problem(507).contains("free space"));
    let id = bed.arrived().await.id;
    assert_eq!(
        bed.event().await,
        Event::Left {
            request: id,
            why: Gone::Elsewhere
        }
    );
    bed.store.fail(None);
    let caller = call(&bed, good());
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(caller.await.unwrap().status, 200);
    assert_eq!(bed.store.len(), 1);
}

#[tokio::test]
async fn a_lane_that_is_gone_is_said_to_be() {
    let bed = Bed::new();
    bed.lanes.close();
    let said = send(bed.router(), good()).await;
    assert!(
        said.exception(503, "ServiceUnavailableException")
            .contains("stopping")
    );
}
