//! The adapters in memory, with commits in order and without.

use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{
    LaneId, ModelCall, ModelError, ModelEvent, ModelHead, ModelId, Operation, Tokens, Usage,
};
use smoother_tests::conformance::ambient::{self, Ambient};
use smoother_tests::conformance::model::{self, Behaviour};
use smoother_tests::conformance::queues::{self, Promises, Receives};
use smoother_tests::conformance::store::{self, Bed, Ports, Restart, Stand};
use smoother_tests::conformance::{id, lane, live, pass};
use smoother_tests::memory::{MemoryModel, Options, Process, Script, Step, Upstream, World};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A world with one process in it.
pub struct MemoryStand {
    world: World,
    process: Process,
}

impl MemoryStand {
    pub fn new(options: Options) -> Self {
        let world = World::new(options);
        let process = world.boot();
        Self { world, process }
    }
}

impl Stand for MemoryStand {
    fn ports(&self) -> Ports {
        let store = self.process.store();
        Ports {
            store: store.clone(),
            payloads: store.clone(),
            outbox: store,
        }
    }

    fn restart(self: Box<Self>, how: Restart) -> BoxFuture<'static, Box<dyn Stand>> {
        match how {
            Restart::Clean => self.process.close(),
            Restart::Crash => self.process.crash(),
        }
        let Self { world, .. } = *self;
        let process = world.boot();
        Box::pin(async move { Box::new(Self { world, process }) as Box<dyn Stand> })
    }
}

pub fn bed(options: Options) -> Bed {
    Bed::new(Box::new(MemoryStand::new(options)))
}

async fn stores_pass(options: Options) {
    for (_, cases) in store::ALL {
        pass(cases, || async { bed(options) }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_commits_in_order() {
    for seed in 0..3 {
        stores_pass(Options {
            seed,
            ..Options::default()
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_commits_at_once() {
    let commit_after = Duration::ZERO;
    stores_pass(Options {
        commit_after,
        ..Options::default()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_store_commits_in_any_order() {
    for seed in 0..3 {
        stores_pass(Options {
            seed,
            ordered: false,
            ..Options::default()
        })
        .await;
    }
}

pub fn queue_stand() -> queues::Stand {
    let process = World::new(Options::default()).boot();
    let (lanes, events) = process.lanes([lane("a"), lane("b")]);
    let (dispatch, released) = process.dispatch();
    let boxed = |(lane, end)| (lane, Box::new(end) as Box<dyn Receives<_>>);
    queues::Stand {
        lanes: Arc::new(lanes),
        events: events.into_iter().map(boxed).collect::<BTreeMap<LaneId, _>>(),
        dispatch: Arc::new(dispatch),
        released: Box::new(released),
        promises: Promises {
            in_order_once: true,
            refuses_when_closed: true,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn the_queues() {
    pass(queues::CASES, || async { queue_stand() }).await;
}

#[tokio::test(start_paused = true)]
async fn the_live_logs() {
    pass(live::CASES, || async {
        let live = World::new(Options::default()).boot().live();
        Arc::new(live) as Arc<dyn smoother_core::ports::Live>
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn time_and_chance() {
    pass(ambient::CASES, || async {
        let world = World::new(Options::default());
        Ambient {
            clock: Arc::new(world.clock()),
            entropy: Arc::new(world.entropy()),
        }
    })
    .await;
}

type Behaviours = Arc<Mutex<HashMap<smoother_core::RequestId, Behaviour>>>;

struct ModelStand {
    model: MemoryModel,
    behaviours: Behaviours,
    calls: u64,
}

impl ModelStand {
    fn new() -> Self {
        let behaviours = Behaviours::default();
        let told = behaviours.clone();
        let model = World::new(Options::default()).model(move |call, _| {
            let behaviour = told.lock().unwrap()[&call.request];
            script(behaviour, call.operation)
        });
        Self {
            model,
            behaviours,
            calls: 0,
        }
    }
}

fn head() -> ModelHead {
    ModelHead {
        content_type: "application/json".to_owned(),
        headers: vec![("x-amzn-requestid".to_owned(), "upstream-1".to_owned())],
    }
}

fn error(kind: smoother_core::ModelErrorKind) -> ModelError {
    ModelError {
        kind,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message: "as the script says".to_owned(),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}

fn script(behaviour: Behaviour, operation: Operation) -> Script {
    let soon = Duration::from_millis(5);
    let piece = if operation.streams() {
        ModelEvent::Frame {
            bytes: "frame".into(),
            output: true,
        }
    } else {
        ModelEvent::Body("{}".into())
    };
    let steps = match behaviour {
        Behaviour::Refuse(kind) => return Script::Refuse(soon, error(kind)),
        Behaviour::Stall if !operation.streams() => return Script::Silence,
        Behaviour::Stall => vec![Step::Say(piece), Step::Hang],
        Behaviour::Break(kind) => vec![Step::Say(piece), Step::Wait(soon), Step::Break(error(kind))],
        Behaviour::Answer(input, output) => {
            let usage = Usage {
                input: Tokens::new(input),
                output: Tokens::new(output),
                ..Usage::default()
            };
            vec![
                Step::Wait(soon),
                Step::Say(piece),
                Step::Say(ModelEvent::Usage(usage)),
            ]
        }
    };
    Script::Accept(soon, head(), steps)
}

impl model::Stand for ModelStand {
    fn model(&self) -> Arc<dyn Model> {
        Arc::new(self.model.clone())
    }

    fn call(&mut self, operation: Operation, behaviour: Behaviour) -> ModelCall {
        self.calls += 1;
        let request = id(self.calls);
        self.behaviours.lock().unwrap().insert(request, behaviour);
        ModelCall {
            request,
            number: smoother_core::CallNo::new(1),
            lane: lane("a"),
            operation,
            model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap(),
            body: "{}".into(),
            headers: Vec::new(),
        }
    }

    fn made(&self) -> usize {
        self.model.made().len()
    }

    fn dropped(&self, count: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let dropped = || {
                let made = self.model.made();
                made.iter()
                    .filter(|call| call.outcome == Upstream::Dropped)
                    .count()
            };
            while dropped() < count {
                tokio::task::yield_now().await;
            }
        })
    }

    fn notices_dropped_bodies(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn the_model() {
    pass(model::CASES, || async {
        Box::new(ModelStand::new()) as Box<dyn model::Stand>
    })
    .await;
}
