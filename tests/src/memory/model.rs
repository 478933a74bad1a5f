//! The port `Model`: an upstream that answers by a script and remembers every call as it saw it.

use super::fault::{Fate, Point, Touched};
use super::process::ProcessNo;
use super::{World, lock};
use futures_util::stream::unfold;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{
    CallNo, LaneId, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead, ModelStream, RequestId,
    Timestamp,
};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What upstream does with one call.
#[derive(Debug, Clone)]
pub enum Script {
    /// It refuses after a while.
    Refuse(Duration, ModelError),
    /// It accepts after a while, and answers step by step.
    Accept(Duration, ModelHead, Vec<Step>),
    /// It never answers.
    Silence,
}

/// One step of an answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Time passes.
    Wait(Duration),
    /// A piece of the answer.
    Say(ModelEvent),
    /// The answer breaks here.
    Break(ModelError),
    /// Nothing more comes, and the answer does not end.
    Hang,
}

/// How a call went, as upstream saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// Not over yet.
    Open,
    /// Answered to the end.
    Answered,
    /// Refused or broken by upstream.
    Failed,
    /// Its caller let go of it.
    Dropped,
}

/// One call as upstream saw it.
#[derive(Debug, Clone)]
pub struct Made {
    /// Whose.
    pub request: RequestId,
    /// Its number.
    pub number: CallNo,
    /// The lane whose quota it took.
    pub lane: LaneId,
    /// When it came.
    pub at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How it went.
    pub outcome: Upstream,
}

type Answers = Box<dyn FnMut(&ModelCall, &mut StdRng) -> Script + Send>;

/// The upstream of a world. Clones are the same upstream; it outlives the processes that call it.
#[derive(Clone)]
pub struct MemoryModel {
    world: World,
    caller: ProcessNo,
    script: Arc<Mutex<Answers>>,
    made: Arc<Mutex<Vec<Made>>>,
}

impl fmt::Debug for MemoryModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryModel").finish_non_exhaustive()
    }
}

impl MemoryModel {
    pub(super) fn new(
        world: World,
        script: impl FnMut(&ModelCall, &mut StdRng) -> Script + Send + 'static,
    ) -> Self {
        Self {
            world,
            caller: ProcessNo(0),
            script: Arc::new(Mutex::new(Box::new(script))),
            made: Arc::default(),
        }
    }

    /// The same upstream as another process calls it; the plan of faults is told which.
    #[must_use]
    pub fn called_by(&self, process: ProcessNo) -> Self {
        Self {
            caller: process,
            ..self.clone()
        }
    }

    /// Every call that reached upstream, in order.
    pub fn made(&self) -> Vec<Made> {
        lock(&self.made).clone()
    }

    /// Upstream takes note of a call.
    fn note(&self, call: &ModelCall) -> Noted {
        let mut made = lock(&self.made);
        made.push(Made {
            request: call.request,
            number: call.number,
            lane: call.lane.clone(),
            at: self.world.now(),
            ended_at: None,
            outcome: Upstream::Open,
        });
        Noted {
            model: self.clone(),
            place: made.len() - 1,
        }
    }

    fn answer(&self, call: &ModelCall) -> Script {
        // A stream of its own, so that a script may look at the world.
        let mut chance = StdRng::seed_from_u64(self.world.lock().chance.random());
        (lock(&self.script))(call, &mut chance)
    }
}

impl Model for MemoryModel {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        Box::pin(async move {
            let fate = self.world.fate(Point {
                process: self.caller,
                touched: Touched::Model,
                request: Some(call.request),
            });
            if fate == Fate::FailBefore {
                return Err(broken(ModelErrorKind::Connect, "no connection could be made"));
            }
            let noted = self.note(&call);
            tokio::time::sleep(fate.delay()).await;
            let script = match fate {
                Fate::Lose => Script::Silence,
                _ => self.answer(&call),
            };
            match script {
                Script::Refuse(after, error) => {
                    tokio::time::sleep(after).await;
                    noted.over(Upstream::Failed);
                    Err(error)
                }
                Script::Silence => std::future::pending().await,
                Script::Accept(after, head, steps) => {
                    tokio::time::sleep(after).await;
                    if fate == Fate::FailAfter {
                        noted.over(Upstream::Answered);
                        return Err(broken(ModelErrorKind::Cut, "the answer was lost on its way"));
                    }
                    let events = unfold((steps.into(), noted), play);
                    Ok(ModelStream {
                        head,
                        events: Box::pin(events),
                    })
                }
            }
        })
    }
}

/// What is left of an answer, and its entry in upstream's book.
type Playing = (VecDeque<Step>, Noted);

async fn play((mut steps, noted): Playing) -> Option<(Result<ModelEvent, ModelError>, Playing)> {
    loop {
        match steps.pop_front() {
            None => {
                noted.over(Upstream::Answered);
                return None;
            }
            Some(Step::Wait(span)) => tokio::time::sleep(span).await,
            Some(Step::Say(event)) => return Some((Ok(event), (steps, noted))),
            Some(Step::Break(error)) => {
                noted.over(Upstream::Failed);
                steps.clear();
                return Some((Err(error), (steps, noted)));
            }
            Some(Step::Hang) => std::future::pending().await,
        }
    }
}

/// One call's entry in the book; letting go of it while it is open counts as hanging up.
struct Noted {
    model: MemoryModel,
    place: usize,
}

impl Noted {
    /// The first word stands.
    fn over(&self, outcome: Upstream) {
        let now = self.model.world.now();
        if let Some(made) = lock(&self.model.made).get_mut(self.place)
            && made.outcome == Upstream::Open
        {
            made.outcome = outcome;
            made.ended_at = Some(now);
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.over(Upstream::Dropped);
    }
}

fn broken(kind: ModelErrorKind, message: &str) -> ModelError {
    ModelError {
        kind,
        status: 503,
        exception: "ServiceUnavailableException".to_owned(),
        message: message.to_owned(),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}
