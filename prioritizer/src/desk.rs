//! The front desk of this process's lane tasks: where others ask how things stand.

use futures_util::FutureExt;
use smoother_core::config::Config;
use smoother_core::ports::{BoxFuture, LaneViews};
use smoother_core::scheduler::{Forecast, LaneView, TurnedAway, Waiting};
use smoother_core::{LaneId, RequestId};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot};

/// What a lane's task is asked, or told, by others of its process.
#[derive(Debug)]
pub enum Question {
    /// The lane as it is now.
    View(oneshot::Sender<LaneView>),
    /// Where a request stands.
    Forecast(RequestId, oneshot::Sender<Option<Forecast>>),
    /// Whether a new request may come in.
    Admit(Box<Waiting>, oneshot::Sender<Result<Forecast, TurnedAway>>),
    /// A configuration that is in force once this is answered.
    Configure(Arc<Config>, oneshot::Sender<()>),
}

/// A lane task's side of the desk.
pub type Questions = mpsc::Receiver<Question>;

/// Questions that may wait for one lane; more than that and askers wait to ask.
const WAITING_QUESTIONS: usize = 256;

/// Answers for the lanes whose tasks run in this process. Lanes may be added while others run.
#[derive(Debug, Default)]
pub struct Desk {
    lanes: RwLock<BTreeMap<LaneId, mpsc::Sender<Question>>>,
}

impl Desk {
    /// A desk for these lanes, and each task's side of it.
    pub fn open(lanes: impl IntoIterator<Item = LaneId>) -> (Self, BTreeMap<LaneId, Questions>) {
        let desk = Self::default();
        let tasks = lanes
            .into_iter()
            .map(|lane| {
                let questions = desk.add(lane.clone());
                (lane, questions)
            })
            .collect();
        (desk, tasks)
    }

    /// One lane more; its task's side of the desk.
    pub fn add(&self, lane: LaneId) -> Questions {
        let (asker, questions) = mpsc::channel(WAITING_QUESTIONS);
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(lane, asker);
        questions
    }

    /// Gives a lane's task another configuration and resolves when it is in force: what the lane decides from then
    /// on, it decides by it. `false` where no task answers.
    pub async fn configure(&self, lane: &LaneId, config: Arc<Config>) -> bool {
        self.ask(lane, |done| Question::Configure(config, done))
            .await
            .is_some()
    }

    fn asker(&self, lane: &LaneId) -> Option<mpsc::Sender<Question>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.get(lane).cloned()
    }

    async fn ask<T>(
        &self,
        lane: &LaneId,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.asker(lane)?.send(question(answer)).await.ok()?;
        asked.await.ok()
    }
}

impl LaneViews for Desk {
    fn lanes(&self) -> Vec<LaneId> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.keys().cloned().collect()
    }

    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        let lane = lane.clone();
        async move { self.ask(&lane, Question::View).await }.boxed()
    }

    fn admit(&self, lane: &LaneId, newcomer: Waiting) -> BoxFuture<'_, Option<Result<Forecast, TurnedAway>>> {
        let lane = lane.clone();
        async move {
            self.ask(&lane, |answer| Question::Admit(Box::new(newcomer), answer))
                .await
        }
        .boxed()
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
