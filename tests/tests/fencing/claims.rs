//! Who may make a call.

use crate::stage::{COST, Stage};
use smoother_core::scheduler::{Event, Gone};
use smoother_core::{CallNo, Change, Millis, State};

#[tokio::test]
async fn of_two_workers_with_one_release_one_calls() {
    let mut stage = Stage::new().await;
    let request = stage.arrive(|_| {}).await;
    let released = stage.release().await;
    for worker in [0, 1, 0, 1] {
        stage.deliver(worker, &released);
    }
    stage.upstream().await.answer("one");
    let view = stage.rest().await;
    let row = stage.row(request.id).await;
    assert_eq!((row.state, row.calls_made), (State::Completed, 1));
    assert_eq!(stage.audit(request.id).await.len(), 1);
    assert_eq!((view.tokens.used, view.running, view.released), (COST, 0, 0));
}

#[tokio::test]
async fn a_worker_that_wakes_after_start_by_calls_nothing_and_the_request_goes_to_another() {
    let mut stage = Stage::new().await;
    let request = stage.arrive(|_| {}).await;
    let first = stage.release().await;
    stage.clock.raise(first.start_by + Millis::new(1));
    stage.deliver(0, &first);
    // No five seconds' wait: the lane is told, and lets it go again at once.
    let second = stage.release().await;
    assert_eq!((second.request, second.call), (request.id, CallNo::new(2)));
    stage.deliver(1, &second);
    let call = stage.upstream().await;
    assert_eq!(call.call.number, second.call);
    // The first release once more, while its successor runs and after it.
    stage.deliver(0, &first);
    call.answer("two");
    stage.deliver(0, &first);
    let view = stage.rest().await;
    let row = stage.row(request.id).await;
    assert_eq!((row.state, row.calls_made, row.tries), (State::Completed, 1, 0));
    let calls = stage.audit(request.id).await;
    assert_eq!(
        calls.iter().map(|call| call.number).collect::<Vec<_>>(),
        [second.call]
    );
    assert_eq!((view.tokens.used, view.running, view.released), (COST, 0, 0));
}

#[tokio::test]
async fn a_release_whose_request_has_expired_is_not_called_and_costs_nothing() {
    let mut stage = Stage::new().await;
    let request = stage
        .arrive(|row| row.deadline = Some(row.arrived_at + Millis::from_secs(10)))
        .await;
    let released = stage.release().await;
    assert_eq!(Some(released.start_by), request.deadline);
    stage.clock.raise(released.start_by + Millis::new(1));
    stage.deliver(0, &released);
    // Told of the late claim, the lane takes the release back and finds that its time is up.
    let expiry = async {
        while !stage.row(request.id).await.state.is_terminal() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), expiry)
        .await
        .expect("it never expired");
    stage.deliver(1, &released);
    let view = stage.rest().await;
    let row = stage.row(request.id).await;
    assert_eq!((row.state, row.calls_made), (State::Expired, 0));
    assert!(stage.audit(request.id).await.is_empty());
    assert_eq!((view.tokens.used, view.running, view.released), (0, 0, 0));
}

#[tokio::test]
async fn a_release_whose_request_was_cancelled_is_not_called_and_costs_nothing() {
    let mut stage = Stage::new().await;
    let request = stage.arrive(|_| {}).await;
    let released = stage.release().await;
    let at = request.arrived_at;
    stage.change(request.id, Change::Cancel { at }).await;
    stage.deliver(0, &released);
    let why = Gone::Cancelled;
    stage
        .tell(Event::Left {
            request: request.id,
            why,
        })
        .await;
    stage.nothing_released().await;
    stage.deliver(1, &released);
    let view = stage.rest().await;
    assert_eq!(stage.row(request.id).await.state, State::Cancelled);
    assert!(stage.audit(request.id).await.is_empty());
    assert_eq!((view.tokens.used, view.running, view.released), (0, 0, 0));
}
