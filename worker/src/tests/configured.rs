//! A worker that is given other settings while calls are under way.

use super::stage::{Script, Stage, Step, answer, error};
use crate::NotTaken;
use smoother_core::config::LaneConfig;
use smoother_core::ports::{Clock, Live, Released, Store};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Millis, ModelErrorKind, Operation, RequestId, State, Tokens};
use std::time::Duration;
use tokio::time::timeout;

impl Stage {
    async fn until(&self, id: RequestId, state: State) {
        let reached = async {
            while self.store.get(id).await.unwrap().unwrap().state != state {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(10), reached)
            .await
            .unwrap_or_else(|_| panic!("never {state}"));
    }

    fn lane_with(&self, change: impl FnOnce(&mut LaneConfig)) -> LaneConfig {
        let id = LaneId::new("a").unwrap();
        let mut lane = self.worker.lane(&id).unwrap().config.clone();
        change(&mut lane);
        lane
    }
}

#[tokio::test]
async fn a_call_is_judged_by_the_settings_in_force_when_it_was_claimed() {
    let mut stage = Stage::new("max_tries = 3\n");
    let once = stage.lane_with(|lane| lane.max_tries = 1);
    let failing = || Script::Refuse(error(ModelErrorKind::Internal, 500, "InternalServerException"));
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(failing());
    stage.release(row.id).await;
    stage.ended().await;
    // Two tries are left.
    stage.until(row.id, State::Queued).await;

    stage.worker.reconfigure([once]);
    let other = stage.request(Operation::Converse, |_| {}).await;
    stage.script(failing());
    stage.release(other.id).await;
    stage.ended().await;
    // Its only try is spent.
    stage.until(other.id, State::Failed).await;
}

#[tokio::test]
async fn a_call_under_way_ends_as_it_began_though_its_lane_is_gone() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(Script::Answer(vec![Step::Hang]));
    stage.release(row.id).await;
    let Event::Started { .. } = stage.told().await else {
        panic!("the call begins")
    };
    stage.worker.reconfigure([]);
    stage.hub.abort(row.id);
    let Event::Ended { charged, .. } = stage.ended().await else {
        unreachable!()
    };
    assert!(charged > Tokens::ZERO, "settled by its lane's settings");
}

#[tokio::test]
async fn another_burndown_counts_for_the_next_call() {
    let mut stage = Stage::new("");
    let dearer = stage.lane_with(|lane| lane.output_burndown = 10);
    stage.worker.reconfigure([dearer]);
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(answer("{}"));
    stage.release(row.id).await;
    let Event::Ended { charged, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(charged, Tokens::new(90 + 10 * 40));
}

#[tokio::test]
async fn a_release_on_a_lane_that_is_not_here_yet_is_left_to_whoever_knows_it() {
    let stage = Stage::new("");
    let lane = stage.lane_with(|_| {});
    let row = stage.request(Operation::Converse, |_| {}).await;
    let released = stage.record_release(row.id).await;
    stage.worker.reconfigure([]);
    let taken = stage.worker.take(released.clone(), None).await;
    assert_eq!(taken, Err(NotTaken::UnknownLane(lane.id.clone())));
    stage.worker.reconfigure([lane]);
    stage.script(answer("{}"));
    assert_eq!(stage.worker.take(released.clone(), None).await, Ok(()));
    stage.until(row.id, State::Completed).await;

    stage.worker.reconfigure([]);
    let start_by = stage.clock.now().before(Millis::new(1));
    let late = Released { start_by, ..released };
    assert_eq!(
        stage.worker.take(late, None).await,
        Ok(()),
        "nobody may claim it any more"
    );
}
