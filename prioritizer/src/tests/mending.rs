//! Where the store or a worker lets the lane down.

use super::faults::KEEP_MEMORY;
use super::stage::Stage;
use smoother_core::breaker::Hand;
use smoother_core::ports::{Clock, LaneViews, Released, Store};
use smoother_core::scheduler::Event;
use smoother_core::{
    CallEnding, CallNo, Change, Hop, LaneId, Millis, OnIndeterminate, Request, State, Timestamp,
};
use std::time::Duration;

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

/// As long after a call's start as its lane gives it up: its own longest time, and a minute.
const GIVEN_UP_AFTER: Millis = Millis::from_secs(61);
const SHORT_CALLS: &str = "call_timeout_ms = 1000\n";

impl Stage {
    /// The next release, claimed by a worker that nobody will hear of again.
    async fn claimed_and_lost(&mut self, tells: bool) -> Released {
        let released = self.next_release().await;
        let (request, call, at) = (released.request, released.call, self.clock.now());
        self.until(request, |row| row.state == State::Released).await;
        self.store
            .change(request, Change::Claim { call, at })
            .await
            .unwrap();
        if tells {
            self.tell(Event::Started { request, call, at }).await;
        }
        released
    }

    /// Waits until the lane knows of a call that runs.
    async fn until_running(&self) {
        let lane = self.config.lanes.keys().next().unwrap();
        while self.desk.view(lane).await.unwrap().running == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn ending(&self, row: &Request) -> CallEnding {
        let call = self.store.calls(row.id).await.unwrap().remove(0);
        assert_eq!(call.charge(), call.reserved, "charged in full");
        call.settlement.expect("an open call").ending
    }
}

#[tokio::test]
async fn a_call_whose_worker_is_gone_is_indeterminate_and_its_request_goes_by_its_policy() {
    for policy in [OnIndeterminate::Retry, OnIndeterminate::Fail] {
        let dir = tempfile::tempdir().unwrap();
        let mut stage = Stage::start(dir.path(), SHORT_CALLS).await;
        let row = stage.arrive(|row| row.on_indeterminate = policy).await;
        let lost = stage.claimed_and_lost(true).await;
        stage.clock.move_on(GIVEN_UP_AFTER + Millis::from_secs(20));
        stage.tell(Event::Tick).await;
        match policy {
            OnIndeterminate::Retry => {
                let again = stage.next_release().await;
                assert_eq!((again.request, again.call), (row.id, CallNo::new(2)));
                let (call, at) = (lost.call, lost.start_by);
                let stale = stage.store.change(row.id, Change::Lose { call, at }).await;
                assert!(stale.is_err(), "its worker's number counts no more");
            }
            OnIndeterminate::Fail => {
                let row = stage.until(row.id, |row| row.state.is_terminal()).await;
                assert_eq!(row.state, State::Failed);
            }
        }
        assert_eq!(stage.ending(&row).await, CallEnding::Indeterminate);
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_lost_call_is_found_though_its_start_was_never_told_and_the_store_fails_at_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), SHORT_CALLS).await;
    let row = stage.arrive(|_| {}).await;
    stage.claimed_and_lost(false).await;
    // The row is looked at after start_by, and says that the call runs.
    stage.clock.move_on(Millis::from_secs(26));
    stage.tell(Event::Tick).await;
    stage.until_running().await;
    stage.faults.fail("lose", 1);
    stage.clock.move_on(GIVEN_UP_AFTER);
    stage.tell(Event::Tick).await;
    stage.until_asked("lose").await;
    stage.clock.move_on(Millis::from_secs(60));
    stage.tell(Event::Tick).await;
    let again = stage.next_release().await;
    assert_eq!((again.request, stage.faults.asked("lose")), (row.id, 2));
    stage.stop().await;
}

#[tokio::test]
async fn a_lost_call_of_a_cancelled_request_is_settled_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), SHORT_CALLS).await;
    let row = stage.arrive(|_| {}).await;
    stage.claimed_and_lost(true).await;
    let cancel = Change::Cancel { at: row.arrived_at };
    let cancelled = stage.store.change(row.id, cancel).await.unwrap();
    stage.clock.move_on(GIVEN_UP_AFTER + Millis::from_secs(20));
    stage.tell(Event::Tick).await;
    stage.until_asked("lose").await;
    let settled = async {
        while stage.store.calls(row.id).await.unwrap()[0].settlement.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), settled)
        .await
        .expect("it was never settled");
    assert_eq!(stage.ending(&row).await, CallEnding::Indeterminate);
    assert_eq!(stage.store.get(row.id).await.unwrap().unwrap(), cancelled);
    stage.stop().await;
}

#[tokio::test]
async fn a_hop_that_was_stored_and_told_as_failed_reaches_its_lane() {
    let dir = tempfile::tempdir().unwrap();
    let two = "[lanes.b]\nmodel = \"n\"\nregion = \"us-west-2\"\ntokens_per_minute = 100000\n";
    let stage = Stage::start(dir.path(), two).await;
    let mut other = stage.queue.tap();
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    stage.faults.fail_after("divert", 1);
    let row = stage
        .arrive(|row| {
            row.fallback.push(Hop::Lane {
                lane: LaneId::new("b").unwrap(),
                model: row.model.clone(),
                estimate: row.estimate,
                own_output: None,
            });
        })
        .await;
    let told = async {
        loop {
            match other.recv().await.unwrap() {
                (lane, Event::Arrived(waiting)) if lane.as_str() == "b" => return waiting.id,
                _ => {}
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await;
    assert_eq!(told.expect("lane b was never told"), row.id);
    stage.stop().await;
}

#[tokio::test]
async fn a_breaker_held_by_hand_is_stored_though_the_store_fails_at_first() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), "").await;
    stage.faults.fail(KEEP_MEMORY, 1);
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    let lane = stage.config.lanes.keys().next().unwrap().clone();
    let stored = async {
        loop {
            let found = stage.store.recover(&lane, Timestamp::EPOCH).await.unwrap();
            if found.memory.breaker.hand == Some(Hand::Open) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored)
        .await
        .expect("the breaker's state was never stored");
    assert_eq!(stage.faults.asked(KEEP_MEMORY), 2);
    stage.stop().await;
}
