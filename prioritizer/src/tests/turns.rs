//! Nobody is starved by a stream of events.

use super::stage::Stage;
use futures_util::FutureExt;
use smoother_core::ports::{LaneViews, Store};
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Change, Request};

/// Far more events than a lane takes up before the runtime lets others run (128 turns of 256).
const STREAM: u64 = 200_000;

async fn stream(stage: &Stage) {
    for _ in 0..STREAM {
        // The channel is unbounded, so nothing here lets the lane's task run in between.
        stage.tell(Event::Tick).await;
    }
}

/// Stored, its lane told of it, and cancelled in the store before the lane lets it go.
async fn cancelled_behind_the_lanes_back(stage: &Stage) -> Request {
    let gone = stage.store_request(|_| {}).await;
    let cancel = Change::Cancel { at: gone.arrived_at };
    stage.store.change(gone.id, cancel).await.unwrap();
    stage.tell(Event::Arrived(Waiting::priced(&gone, 5))).await;
    gone
}

#[tokio::test]
async fn a_question_is_answered_between_events() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), "").await;
    let lane = stage.config.lanes.keys().next().unwrap().clone();
    stream(&stage).await;
    assert!(stage.desk.view(&lane).await.is_some());
    let answered_after = stage.clock.steps();
    assert!(
        answered_after < STREAM / 2,
        "the question waited for {answered_after} events"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_refused_release_is_heard_of_between_events() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let gone = cancelled_behind_the_lanes_back(&stage).await;
    let next = stage.arrive(|_| {}).await;
    assert_eq!(stage.next_release().await.request, gone.id);
    // The store refuses the release while the lane's task does not run: this test has its thread.
    let mut settled = stage.store.change(gone.id, Change::Queue);
    while settled.as_mut().now_or_never().is_none() {
        std::thread::yield_now();
    }
    let before = stage.clock.steps();
    stream(&stage).await;
    assert_eq!(stage.next_release().await.request, next.id);
    let heard_after = stage.clock.steps() - before;
    assert!(
        heard_after < STREAM / 2,
        "the refusal waited for {heard_after} events"
    );
    stage.stop().await;
}
