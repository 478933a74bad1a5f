//! The whole pipeline in virtual time, under an upstream whose answers are given.
//!
//! A caller on Bedrock's wire and a job ask for the same. Upstream answers them, call after call, what it is told to;
//! when both have ended it is well again, whatever is left of that, and one more job is asked for. Every request must come to its end, whatever
//! upstream has said, and be settled once; what is answered must be an answer that upstream gave; and then the lanes
//! must be as good as new.

mod caller;
mod judge;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use smoother_core::config::Config;
use smoother_core::model::{FreeAnswer, FreeCall};
use smoother_core::ports::{BoxFuture, FreeCalls};
use smoother_core::verdict::wire_name;
use smoother_core::{CallNo, ModelError, ModelErrorKind, ModelEvent, Operation, RequestId};
use tokio::time::{sleep, timeout};

use super::house::{Adapters, Pipeline, events_of, head};
use super::upstream::MODEL;
use super::{Fault, Kind, Verdict};
use crate::memory::{Fate, MemoryModel, Options, Point, Process, Script, Step, World};

/// The longest that anything may take in virtual time: a day's quota that is said to be used up is asked after every
/// hour, and upstream says so some times at most.
const LONGEST: Duration = Duration::from_secs(3 * 24 * 3_600);
/// A lane that was told that its day is used up looks again within the hour; nothing else may hold it longer.
const SERVED_WITHIN: Duration = Duration::from_secs(2 * 3_600);
/// A caller on Bedrock's wire that was turned away leaves its request behind for a quarter of an hour at most.
const QUIET_WITHIN: u32 = 3_600;
/// Between a call and its answer, and between two pieces of that.
const PACE: Duration = Duration::from_millis(5);

/// What goes wrong beside upstream: nothing, unless a test plants it.
pub type Plan = fn() -> Box<dyn FnMut(&Point, &mut StdRng) -> Fate + Send>;

/// Asks, and judges what came of it. Blocks the thread; virtual time needs it alone.
///
/// # Errors
/// A property does not hold.
pub fn run(operation: Operation, answers: Vec<Script>, plan: Option<Plan>) -> Result<Verdict, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Fault::new(Kind::Lost, format_args!("no runtime: {error}")))?;
    runtime.block_on(async {
        let opened = Trial::open(operation, answers, plan).await;
        let trial = opened.map_err(|error| Fault::new(Kind::Lost, format_args!("no pipeline: {error}")))?;
        trial.run().await
    })
}

/// What upstream gave each call: the whole answer, or none.
type Given = Arc<Mutex<BTreeMap<(RequestId, CallNo), Option<Bytes>>>>;

struct Trial {
    operation: Operation,
    world: World,
    process: Process,
    model: MemoryModel,
    /// What upstream has yet to answer before it is well.
    left: Arc<Mutex<VecDeque<Script>>>,
    given: Given,
    pipeline: Pipeline,
}

impl Trial {
    async fn open(operation: Operation, answers: Vec<Script>, plan: Option<Plan>) -> anyhow::Result<Self> {
        let config = Config::load(Some(("the trial", &lanes())), None)?;
        let world = World::new(Options::default());
        if let Some(plan) = plan {
            world.plan(plan());
        }
        let process = world.boot();
        let given = Given::default();
        let left = Arc::new(Mutex::new(VecDeque::from(answers)));
        let (noted, next) = (Arc::clone(&given), Arc::clone(&left));
        let model = world.model(move |call, _| {
            let script = lock(&next).pop_front().unwrap_or_else(|| well(call.operation));
            lock(&noted).insert((call.request, call.number), whole(&script));
            script
        });
        let (lanes, events) = process.lanes(config.lanes.keys().cloned());
        let (dispatch, released) = process.dispatch();
        let store = process.store();
        let adapters = Adapters {
            store: store.clone(),
            payloads: store.clone(),
            outbox: store,
            lanes: Arc::new(lanes),
            events,
            dispatch: Arc::new(dispatch),
            released,
            model: Arc::new(model.clone()),
            free: Arc::new(NothingFree),
            clock: Arc::new(world.clock()),
            entropy: Arc::new(world.entropy()),
        };
        Ok(Self {
            operation,
            pipeline: Pipeline::open(&config, adapters).await?,
            world,
            process,
            model,
            left,
            given,
        })
    }

    async fn run(self) -> Result<Verdict, Fault> {
        let both = async { tokio::try_join!(self.on_the_wire(), self.as_a_job()) };
        let endless = |_| self.hang("a request has no end");
        let (wire, job) = timeout(LONGEST, both).await.map_err(endless)??;
        self.becomes_quiet().await?;
        lock(&self.left).clear();
        let unserved = |_| self.hang("upstream is well, and the next request is not served");
        let last = timeout(SERVED_WITHIN, self.as_a_job())
            .await
            .map_err(unserved)??;
        if last.status != "COMPLETED" {
            let what = format!("upstream is well, and the next request ends {}", last.said);
            return Err(Fault::new(Kind::Lost, what));
        }
        self.becomes_quiet().await?;
        self.judge(&wire, &[&job, &last]).await
    }

    /// Nothing is under way any more, in the lanes or in the store.
    async fn becomes_quiet(&self) -> Result<(), Fault> {
        for _ in 0..QUIET_WITHIN {
            if self.world.rows().iter().all(|row| row.state.is_terminal()) && self.lanes_are_idle().await {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        Err(self.hang("a lane does not become quiet"))
    }

    async fn lanes_are_idle(&self) -> bool {
        let views = self.pipeline.views().await;
        views.iter().all(|lane| {
            let waiting = lane.waiting.values().any(|band| band.requests > 0);
            lane.released + lane.running == 0 && !waiting
        })
    }

    fn hang(&self, what: &str) -> Fault {
        let rows = self.world.rows();
        let states: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "{} in lane {} after {} calls",
                    row.state, row.lane, row.calls_made
                )
            })
            .collect();
        Fault::new(Kind::Hang, format_args!("{what}: {}", states.join(", ")))
    }
}

/// Two Regions of one model: the second serves what falls back to it.
fn lanes() -> String {
    let lane = |name: &str, region: &str, more: &str| {
        format!(
            "[lanes.{name}]\nmodel = \"{MODEL}\"\nregion = \"{region}\"\ntokens_per_minute = 1000000\n\
             max_concurrency = 8\ncall_timeout_ms = 60000\nchunk_timeout_ms = 20000\n{more}\n"
        )
    };
    lane("first", "us-east-1", "fallback = [\"second\"]") + &lane("second", "us-west-2", "standby = true")
}

/// A good answer.
fn well(operation: Operation) -> Script {
    Script::Accept(PACE, head(operation), paced(events_of(operation)))
}

/// Pieces of an answer with some time before each.
pub fn paced(events: impl IntoIterator<Item = ModelEvent>) -> Vec<Step> {
    let events = events.into_iter();
    events
        .flat_map(|event| [Step::Wait(PACE), Step::Say(event)])
        .collect()
}

/// The answer, where it has an end.
fn whole(script: &Script) -> Option<Bytes> {
    let Script::Accept(_, _, steps) = script else {
        return None;
    };
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Say(ModelEvent::Body(bytes) | ModelEvent::Frame { bytes, .. }) => {
                all.extend_from_slice(bytes);
            }
            Step::Say(ModelEvent::CutShort | ModelEvent::Usage(_)) | Step::Wait(_) => {}
            Step::Break(_) | Step::Hang => return None,
        }
    }
    Some(all.into())
}

/// Nobody asks for what is free here.
struct NothingFree;

impl FreeCalls for NothingFree {
    fn forward(&self, _: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>> {
        let (status, exception) = wire_name(ModelErrorKind::Setup);
        Box::pin(std::future::ready(Err(ModelError {
            kind: ModelErrorKind::Setup,
            status,
            exception: exception.to_owned(),
            message: "there is nothing free here".to_owned(),
            headers: Vec::new(),
            retry_after_ms: None,
        })))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
