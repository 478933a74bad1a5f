//! What a lane's task does with what it is told.

use super::stage::Stage;
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{LaneViews, Store};
use smoother_core::scheduler::{Again, Event, Gone};
use smoother_core::{CallNo, Change, Millis, State, Tokens};

#[tokio::test]
async fn an_idle_lane_releases_an_arrival_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "").await;
    let request = stage.arrive(|_| {}).await;
    let released = stage.next_release().await;
    assert_eq!((released.request, released.call), (request.id, CallNo::new(1)));
    let row = stage.until(request.id, |row| row.state == State::Released).await;
    assert_eq!(row.start_by, Some(released.start_by));
    assert_eq!(row.reserved, Tokens::new(500));
    // One write's time at most; a tick on the path would show as its period.
    assert!(Stage::waited(&row) < Millis::new(250), "{}", Stage::waited(&row));
    stage.stop().await;
}

#[tokio::test]
async fn a_full_lane_holds_the_next_until_a_call_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let first = stage.arrive(|_| {}).await;
    let second = stage.arrive(|_| {}).await;
    assert_eq!(stage.next_release().await.request, first.id);
    let lane = first.lane.clone();
    let view = stage.desk.view(&lane).await.unwrap();
    assert_eq!((view.released, view.waiting["normal"].requests), (1, 1));
    let forecast = stage.desk.forecast(&lane, second.id).await.unwrap();
    assert_eq!(forecast.position, 1);
    assert!(
        stage.desk.forecast(&lane, first.id).await.is_none(),
        "a released request does not wait"
    );
    let at = first.arrived_at;
    let call = CallNo::new(1);
    stage
        .tell(Event::Started {
            request: first.id,
            call,
            at,
        })
        .await;
    stage
        .tell(Event::Ended {
            request: first.id,
            call,
            charged: Tokens::new(300),
            throttle: None,
            again: Again::No,
            health: CallHealth::Fine,
            at,
        })
        .await;
    assert_eq!(stage.next_release().await.request, second.id);
    stage.stop().await;
}

#[tokio::test]
async fn a_cancelled_request_that_was_not_heard_of_frees_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    // Cancelled in the store before its arrival is told: the release is refused, and the next one goes.
    let gone = stage.store_request(|_| {}).await;
    stage
        .store
        .change(gone.id, Change::Cancel { at: gone.arrived_at })
        .await
        .unwrap();
    stage
        .tell(Event::Arrived(smoother_core::scheduler::Waiting::priced(
            &gone, 5,
        )))
        .await;
    let next = stage.arrive(|_| {}).await;
    let mut seen = stage.next_release().await;
    if seen.request == gone.id {
        seen = stage.next_release().await;
    }
    assert_eq!(seen.request, next.id);
    stage.stop().await;
}

#[tokio::test]
async fn a_waiting_request_past_its_deadline_expires_unpaid() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let running = stage.arrive(|_| {}).await;
    stage.next_release().await;
    let waiting = stage
        .arrive(|row| row.deadline = Some(row.arrived_at + Millis::new(120)))
        .await;
    let row = stage.until(waiting.id, |row| row.state.is_terminal()).await;
    assert_eq!((row.state, row.calls_made), (State::Expired, 0));
    assert!(row.ended_at.unwrap() >= row.deadline.unwrap());
    stage
        .tell(Event::Left {
            request: running.id,
            why: Gone::Cancelled,
        })
        .await;
    stage.stop().await;
}

#[tokio::test]
async fn what_waited_before_a_restart_goes_on_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(stage.arrive(|_| {}).await.id);
    }
    // Released and recorded, never claimed: nobody can have called it.
    assert_eq!(stage.next_release().await.request, ids[0]);
    stage.until(ids[0], |row| row.state == State::Released).await;
    stage.stop().await;

    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let mut order = Vec::new();
    for _ in 0..4 {
        let released = stage.next_release().await;
        order.push(released.request);
        let (call, at) = (released.call, released.start_by);
        stage
            .tell(Event::Ended {
                request: released.request,
                call,
                charged: Tokens::new(1),
                throttle: None,
                again: Again::No,
                health: CallHealth::Fine,
                at,
            })
            .await;
    }
    assert_eq!(order, ids);
    // A call number is never given out twice.
    stage.until(ids[0], |row| row.call == CallNo::new(2)).await;
    stage.stop().await;
}
