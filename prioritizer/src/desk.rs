//! The front desk of this process's lane tasks: where others ask how things stand.

use futures_util::FutureExt;
use smoother_core::ports::{BoxFuture, LaneViews};
use smoother_core::scheduler::{Forecast, LaneView};
use smoother_core::{LaneId, RequestId};
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};

/// A question to a lane's task.
#[derive(Debug)]
pub enum Question {
    /// The lane as it is now.
    View(oneshot::Sender<LaneView>),
    /// Where a request stands.
    Forecast(RequestId, oneshot::Sender<Option<Forecast>>),
}

/// A lane task's side of the desk.
pub type Questions = mpsc::Receiver<Question>;

/// Questions that may wait for one lane; more than that and askers wait to ask.
const WAITING_QUESTIONS: usize = 256;

/// Answers for the lanes whose tasks run in this process.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    lanes: BTreeMap<LaneId, mpsc::Sender<Question>>,
}

impl Desk {
    /// A desk for these lanes, and each task's side of it.
    pub fn open(lanes: impl IntoIterator<Item = LaneId>) -> (Self, BTreeMap<LaneId, Questions>) {
        let mut desk = Self::default();
        let mut tasks = BTreeMap::new();
        for lane in lanes {
            let (asker, questions) = mpsc::channel(WAITING_QUESTIONS);
            desk.lanes.insert(lane.clone(), asker);
            tasks.insert(lane, questions);
        }
        (desk, tasks)
    }

    async fn ask<T>(
        &self,
        lane: &LaneId,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.lanes.get(lane)?.send(question(answer)).await.ok()?;
        asked.await.ok()
    }
}

impl LaneViews for Desk {
    fn lanes(&self) -> Vec<LaneId> {
        self.lanes.keys().cloned().collect()
    }

    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        let lane = lane.clone();
        async move { self.ask(&lane, Question::View).await }.boxed()
    }

    fn forecast(&self, lane: &LaneId, id: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        let lane = lane.clone();
        async move {
            self.ask(&lane, |answer| Question::Forecast(id, answer))
                .await
                .flatten()
        }
        .boxed()
    }
}
