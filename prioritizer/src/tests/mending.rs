//! Where the store or a worker lets the lane down.

use super::stage::Stage;
use smoother_core::ports::Store;
use smoother_core::scheduler::Event;
use smoother_core::{CallNo, Change, Millis, State};

#[tokio::test]
async fn a_release_that_came_too_late_to_its_worker_waits_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "").await;
    let row = stage.arrive(|_| {}).await;
    let released = stage.next_release().await;
    stage.until(row.id, |row| row.state == State::Released).await;
    let (request, call) = (released.request, released.call);

    // Told too early, the lane leaves the release alone: it may still be claimed.
    stage.tell(Event::Unclaimed { request, call }).await;
    stage.until_asked("lapse").await;
    let stored = stage.store.get(request).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.call), (State::Released, call));

    stage.clock.move_on(Millis::new(20_001));
    stage.tell(Event::Unclaimed { request, call }).await;
    let again = stage.next_release().await;
    assert_eq!((again.request, again.call), (request, CallNo::new(2)));
    let at = again.start_by;
    let stale = stage.store.change(request, Change::Claim { call, at }).await;
    assert!(stale.is_err(), "the void release was claimed");
    stage.stop().await;
}

#[tokio::test]
async fn a_request_is_not_forgotten_while_its_row_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    stage.arrive(|_| {}).await;
    stage.next_release().await;
    stage.faults.fail("expire", 1);
    stage.faults.fail_reads(1);
    let waiting = stage
        .arrive(|row| row.deadline = Some(row.arrived_at + Millis::new(20)))
        .await;
    let row = stage.until(waiting.id, |row| row.state.is_terminal()).await;
    assert_eq!((row.state, stage.faults.asked("expire")), (State::Expired, 2));
    stage.stop().await;
}

#[tokio::test]
async fn a_store_that_fails_an_expiry_is_asked_again_after_a_pause() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    stage.arrive(|_| {}).await;
    stage.next_release().await;
    stage.faults.fail("expire", 2);
    let waiting = stage
        .arrive(|row| row.deadline = Some(row.arrived_at + Millis::new(20)))
        .await;
    let row = stage.until(waiting.id, |row| row.state.is_terminal()).await;
    assert_eq!((row.state, stage.faults.asked("expire")), (State::Expired, 3));
    let took = row.ended_at.unwrap().since(row.deadline.unwrap());
    assert!(
        took >= Millis::from_secs(2),
        "the store was asked three times within {took}"
    );
    stage.stop().await;
}
