//! A lane that is given another configuration while it works.

use super::stage::Stage;
use smoother_core::config::Config;
use smoother_core::ports::{LaneViews, Store};
use smoother_core::{CallNo, LaneId, State};
use std::sync::Arc;
use std::time::Duration;

/// The stage's own configuration, changed.
fn changed(stage: &Stage, change: impl FnOnce(&mut Config)) -> Arc<Config> {
    let mut config = stage.config.clone();
    change(&mut config);
    Arc::new(config)
}

fn only(stage: &Stage) -> LaneId {
    stage.config.lanes.keys().next().unwrap().clone()
}

#[tokio::test]
async fn a_raised_limit_lets_go_at_once_what_waited_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    let first = stage.arrive(|_| {}).await;
    let second = stage.arrive(|_| {}).await;
    assert_eq!(stage.next_release().await.request, first.id);
    assert!(stage.released.try_recv().is_err(), "one at a time so far");

    let lane = only(&stage);
    let roomier = changed(&stage, |config| {
        config.lanes.get_mut(&lane).unwrap().max_concurrency = 2;
    });
    // Nothing else happens: neither an event nor the time lets it go.
    assert!(stage.desk.configure(&lane, roomier).await);
    let released = stage.released.try_recv().unwrap();
    assert_eq!((released.request, released.call), (second.id, CallNo::new(1)));
    stage.stop().await;
}

#[tokio::test]
async fn a_request_that_the_new_quota_never_fits_fails_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "max_concurrency = 1\n").await;
    stage.arrive(|_| {}).await;
    let waiting = stage.arrive(|_| {}).await;
    stage.next_release().await;
    let lane = only(&stage);
    let smaller = changed(&stage, |config| {
        let lane = config.lanes.get_mut(&lane).unwrap();
        (lane.tokens_per_minute, lane.max_concurrency) = (smoother_core::TokensPerMinute::new(100), 2);
    });
    assert!(stage.desk.configure(&lane, smaller).await);
    let row = stage.until(waiting.id, |row| row.state == State::Failed).await;
    assert!(
        format!("{:?}", row.outcome).contains("tokens_per_minute is 100"),
        "{:?}",
        row.outcome
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_lane_that_is_no_longer_named_brings_to_an_end_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), "").await;
    let lane = only(&stage);
    let without = changed(&stage, |config| config.lanes.clear());
    assert!(stage.desk.configure(&lane, without).await);
    let row = stage.arrive(|_| {}).await;
    assert_eq!(stage.next_release().await.request, row.id);
    let view = stage.desk.view(&lane).await.unwrap();
    assert_eq!(view.tokens.limit, 100_000, "by the settings it had");
    stage.stop().await;
}

#[tokio::test]
async fn what_was_waiting_at_the_start_goes_when_the_task_runs_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), "").await;
    let row = stage.store_request(|_| {}).await;
    stage.stop().await;
    let mut stage = Stage::start(dir.path(), "").await;
    assert!(stage.released.try_recv().is_err(), "only loaded so far");
    let released = tokio::time::timeout(Duration::from_secs(5), stage.next_release()).await;
    assert_eq!(released.unwrap().request, row.id);
    assert!(stage.store.get(row.id).await.unwrap().is_some());
    stage.stop().await;
}
