//! A caller that goes away.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post};
use axum::body::Body;
use http::Request;
use smoother_core::scheduler::{Event, Gone};
use smoother_core::{Millis, State};
use std::time::Duration;

fn with(headers: &[(&str, &str)]) -> Request<Body> {
    post(&format!("/model/{MODEL}/converse"), headers, converse())
}

fn attempt(number: u32) -> Request<Body> {
    let said = format!("attempt={number}; max=3");
    with(&[("amz-sdk-invocation-id", "7d1b"), ("amz-sdk-request", &said)])
}

/// A call that has arrived and whose caller is gone.
async fn gone(bed: &Bed, request: Request<Body>) -> smoother_core::RequestId {
    let caller = call(bed, request);
    let id = bed.arrived().await.id;
    bed.live.readers_are(id, 1).await;
    caller.abort();
    bed.live.readers_are(id, 0).await;
    id
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
    settle().await;
}

fn state(bed: &Bed, id: smoother_core::RequestId) -> State {
    bed.store.row(id).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn it_is_waited_for_and_then_its_request_is_cancelled() {
    let bed = Bed::new();
    let id = gone(&bed, attempt(1)).await;
    bed.start(id);
    seconds(29).await;
    assert_eq!(state(&bed, id), State::Running);
    seconds(2).await;
    assert_eq!(state(&bed, id), State::Cancelled);
    assert!(bed.live.was_aborted(id), "the running call is told to stop");
    assert_eq!(
        bed.event().await,
        Event::Left {
            request: id,
            why: Gone::Cancelled
        }
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_in_time_finds_its_request() {
    let bed = Bed::new();
    let id = gone(&bed, attempt(1)).await;
    seconds(20).await;
    let back = call(&bed, attempt(2));
    bed.live.readers_are(id, 1).await;
    seconds(60).await;
    assert_eq!(state(&bed, id), State::Queued);
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(back.await.unwrap().status, 200);
    assert_eq!(bed.lanes.told(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_come_back_is_not_waited_for() {
    for request in [with(&[]), attempt(3)] {
        let bed = Bed::new();
        let id = gone(&bed, request).await;
        assert_eq!(
            bed.event().await,
            Event::Left {
                request: id,
                why: Gone::Cancelled
            }
        );
        let row = bed.store.row(id).unwrap();
        assert_eq!(row.state, State::Cancelled);
        assert!(row.ended_at.unwrap().since(row.arrived_at) < Millis::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_be_finished_is_finished() {
    let bed = Bed::new();
    let id = gone(&bed, with(&[("x-smoother-on-disconnect", "finish")])).await;
    seconds(3_600).await;
    assert_eq!(state(&bed, id), State::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_in_the_middle_of_a_stream_is_gone_too() {
    let bed = Bed::new();
    let request = post(&format!("/model/{MODEL}/converse-stream"), &[], converse());
    let (router, frame) = (
        bed.router(),
        crate::testbed::stream_frame("contentBlockDelta", "{}"),
    );
    let response = tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() });
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &frame);
    let response = response.await.unwrap();
    assert_eq!(state(&bed, id), State::Running);
    drop(response);
    assert_eq!(
        bed.event().await,
        Event::Left {
            request: id,
            why: Gone::Cancelled
        }
    );
    assert!(bed.live.was_aborted(id));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_read_leaves_nothing_to_cancel() {
    let bed = Bed::new();
    let caller = call(&bed, with(&[]));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.complete(id, "{}");
    caller.await.unwrap();
    seconds(60).await;
    assert_eq!((state(&bed, id), bed.lanes.told()), (State::Completed, 1));
}

#[tokio::test(start_paused = true)]
async fn the_caller_of_a_former_process_is_waited_for() {
    let bed = Bed::new();
    let id = gone(
        &bed,
        with(&[("x-smoother-on-disconnect", "finish"), ("idempotency-key", "a")]),
    )
    .await;
    let mut row = bed.store.row(id).unwrap();
    bed.ingest.await_return(&row);
    seconds(60).await;
    assert_eq!(state(&bed, id), State::Queued, "it was to be finished");
    row.on_disconnect = smoother_core::OnDisconnect::Cancel;
    bed.ingest.await_return(&row);
    seconds(29).await;
    assert_eq!(state(&bed, id), State::Queued);
    seconds(2).await;
    assert_eq!(state(&bed, id), State::Cancelled);
}
