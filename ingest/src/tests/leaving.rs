//! A caller that goes away.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post};
use axum::body::Body;
use http::Request;
use smoother_core::ports::{Clock, Live};
use smoother_core::request::Runner;
use smoother_core::{Change, Millis, OnDisconnect, State};
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
    let row = bed.start(id);
    seconds(29).await;
    assert_eq!(state(&bed, id), State::Running);
    seconds(2).await;
    assert_eq!(state(&bed, id), State::Cancelled);
    assert!(bed.live.was_aborted(id), "the running call is told to stop");
    bed.cancelled_while_running(&row).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_just_as_its_request_is_given_up_makes_a_call_of_its_own() {
    let bed = Bed::new();
    let id = gone(&bed, attempt(1)).await;
    let (store, at) = (bed.store.clone(), bed.clock.now());
    bed.store
        .after_read(move || drop(store.apply(id, &Change::Abandon { at })));
    let back = call(&bed, attempt(2));
    let own = bed.arrived().await.id;
    assert_ne!(own, id);
    assert_eq!(state(&bed, id), State::Cancelled);
    bed.start(own);
    bed.complete(own, "{}");
    assert_eq!(back.await.unwrap().status, 200);
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
        bed.cancelled(id).await;
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
    let row = bed.start(id);
    bed.head(id);
    bed.frame(id, &frame);
    let response = response.await.unwrap();
    assert_eq!(state(&bed, id), State::Running);
    drop(response);
    bed.cancelled_while_running(&row).await;
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
    let finished = gone(&bed, with(&[("x-smoother-on-disconnect", "finish")])).await;
    let id = gone(&bed, attempt(1)).await;
    bed.ingest.drain().await;
    let bed = bed.restarted();
    for id in [finished, id] {
        bed.ingest.await_return(&bed.store.row(id).unwrap());
    }
    seconds(29).await;
    assert_eq!(state(&bed, id), State::Queued);
    seconds(2).await;
    assert_eq!(state(&bed, id), State::Cancelled);
    assert_eq!(state(&bed, finished), State::Queued, "it is to be finished");
}

#[tokio::test(start_paused = true)]
async fn the_caller_of_a_former_process_who_cannot_come_back_is_not_waited_for() {
    for request in [with(&[]), attempt(3)] {
        let bed = Bed::new();
        let _caller = call(&bed, request);
        let id = bed.arrived().await.id;
        let bed = bed.restarted();
        bed.ingest.await_return(&bed.store.row(id).unwrap());
        bed.cancelled(id).await;
        assert_eq!(state(&bed, id), State::Cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_of_a_call_makes_its_request_one_that_is_not_waited_for() {
    let bed = Bed::new();
    let first = call(&bed, attempt(1));
    let id = bed.arrived().await.id;
    assert_eq!(bed.store.row(id).unwrap().on_disconnect, OnDisconnect::Cancel);
    first.abort();
    let last = call(&bed, attempt(3));
    bed.live.readers_are(id, 1).await;
    settle().await;
    assert_eq!(
        bed.store.row(id).unwrap().on_disconnect,
        OnDisconnect::CancelAtOnce
    );
    last.abort();
    bed.cancelled(id).await;
}

#[tokio::test(start_paused = true)]
async fn who_merely_looks_on_keeps_nothing_alive() {
    let bed = Bed::new();
    let caller = call(&bed, attempt(1));
    let id = bed.arrived().await.id;
    let _long_poll = bed.live.subscribe(id);
    bed.live.readers_are(id, 2).await;
    caller.abort();
    bed.live.readers_are(id, 1).await;
    seconds(31).await;
    assert_eq!(state(&bed, id), State::Cancelled);
    assert_eq!(bed.ingest.callers.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_of_two_callers_has_a_grace_of_its_own() {
    let bed = Bed::new();
    let key = [("idempotency-key", "two")];
    let first = call(&bed, with(&key));
    let id = bed.arrived().await.id;
    let second = call(&bed, with(&key));
    bed.live.readers_are(id, 2).await;
    first.abort();
    seconds(20).await;
    second.abort();
    seconds(20).await;
    assert_eq!(state(&bed, id), State::Queued, "the second left 20 s ago");
    seconds(11).await;
    assert_eq!(state(&bed, id), State::Cancelled);
    assert_eq!(bed.ingest.callers.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_nobody_claimed_is_not_called_started() {
    let bed = Bed::new();
    let id = gone(&bed, attempt(1)).await;
    let row = bed.start(id);
    let at = bed.clock.now();
    let again = Change::Requeue {
        call: row.call,
        not_before: at,
        throttle: None,
        error: None,
        spends_try: true,
    };
    bed.store.apply(id, &again).unwrap();
    bed.release(id);
    bed.ingest.cancel(id).await.unwrap();
    bed.cancelled(id).await;
}

#[tokio::test(start_paused = true)]
async fn where_nobody_hears_of_a_leaving_no_request_is_cancelled_for_it() {
    let bed = Bed::with(|config| config.server.disconnect_grace = Millis::MAX);
    let id = gone(&bed, attempt(1)).await;
    bed.ingest.at_rest().await;
    seconds(100_000).await;
    assert_eq!((state(&bed, id), bed.ingest.callers()), (State::Queued, 0));
    // Whoever cannot come back is not waited for, there as here; and before a process stands still that is done.
    let id = gone(&bed, with(&[])).await;
    bed.ingest.at_rest().await;
    assert_eq!(state(&bed, id), State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn only_those_who_wait_run_their_own_calls() {
    let bed = Bed::new();
    let ports = bed.ingest.ports.clone();
    let ingest = crate::Ingest::run_by(ports, bed.ingest.settings().config.clone(), Runner::Caller);
    let bed = Bed { ingest, ..bed };
    let waits = gone(&bed, attempt(1)).await;
    assert_eq!(bed.store.row(waits).unwrap().runner, Runner::Caller);
    let form = format!(r#"{{"model":"{MODEL}","prompt":"x"}}"#);
    let form = crate::JobForm::parse(&form.into()).unwrap();
    let job = bed
        .ingest
        .submit(form.submission(smoother_core::TenantId::default()).unwrap())
        .await;
    assert_eq!(job.unwrap().request.runner, Runner::Worker);
}
