//! The adapters in memory, with commits in order and without.

use smoother_core::ports::{BoxFuture, Inbox, LaneQueue, Model, Released};
use smoother_core::scheduler::Event;
use smoother_core::{
    LaneId, Millis, ModelCall, ModelError, ModelEvent, ModelHead, ModelId, Operation, Tokens, Usage,
};
use smoother_tests::conformance::ambient::{self, Ambient};
use smoother_tests::conformance::model::{self, Behaviour};
use smoother_tests::conformance::queues::{self, Promises, Receives};
use smoother_tests::conformance::store::{self, Bed, Ports, Restart, Stand};
use smoother_tests::conformance::{hold, id, lane, live, pass};
use smoother_tests::memory::{Mail, MemoryModel, Options, Post, Process, Script, Step, Upstream, World};
use std::collections::{BTreeMap, HashMap, VecDeque};
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
async fn what_holders_keep() {
    for (seed, lag) in [(0, 0), (1, 50), (2, 3_000)] {
        let lag = Duration::from_millis(lag);
        for (_, cases) in hold::ALL {
            pass(cases, || async { hold_stand(seed, lag) }).await;
        }
    }
}

/// A lane's store and what holders keep beside it, where indexes lag by up to `lag`.
pub fn hold_stand(seed: u64, lag: Duration) -> hold::Stand {
    let options = Options {
        seed,
        ordered: false,
        ..Options::default()
    };
    let world = World::new(options);
    world.lag(lag);
    let process = world.boot();
    hold::Stand {
        hold: process.hold(),
        store: process.store(),
        other: world.boot().store(),
        lag: lag + Duration::from_secs(1),
    }
}

/// Queues that outlive their process, with the reader's side as a holder and a worker have it.
pub fn post_stand() -> queues::Stand {
    let process = World::new(Options::default()).boot();
    let hidden_for = Duration::from_secs(30);
    let post = Post::new(&process.world(), [lane("a"), lane("b")], hidden_for);
    let office = Arc::new(post.of(&process));
    let reader = |name: &str| {
        let reader = LaneReader {
            inbox: office.clone(),
            lane: lane(name),
            read: VecDeque::new(),
        };
        (lane(name), Box::new(reader) as Box<dyn Receives<Event>>)
    };
    queues::Stand {
        lanes: office.clone(),
        events: ["a", "b"].map(reader).into(),
        dispatch: office.clone(),
        released: Box::new(MailReader(post.dispatch, VecDeque::new())),
        promises: Promises {
            in_order_once: false,
            refuses_when_closed: false,
        },
    }
}

struct LaneReader {
    inbox: Arc<dyn Inbox>,
    lane: LaneId,
    read: VecDeque<Event>,
}

impl Receives<Event> for LaneReader {
    fn next(&mut self) -> BoxFuture<'_, Option<Event>> {
        Box::pin(async move {
            while self.read.is_empty() {
                let received = self
                    .inbox
                    .receive(&self.lane, Millis::from_secs(5))
                    .await
                    .unwrap();
                let receipts = received.iter().map(|one| one.receipt.clone()).collect();
                self.read.extend(received.into_iter().map(|one| one.event));
                self.inbox.done(&self.lane, receipts).await;
            }
            self.read.pop_front()
        })
    }
}

struct MailReader(Mail<Released>, VecDeque<Released>);

impl Receives<Released> for MailReader {
    fn next(&mut self) -> BoxFuture<'_, Option<Released>> {
        Box::pin(async move {
            while self.1.is_empty() {
                let taken = self.0.receive(Duration::from_secs(5)).await;
                let receipts: Vec<_> = taken.iter().map(|one| one.receipt.clone()).collect();
                self.1.extend(taken.into_iter().map(|one| one.message));
                self.0.done(&receipts);
            }
            self.1.pop_front()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_queues_that_outlive_a_process() {
    pass(queues::CASES, || async { post_stand() }).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_with_comes_again() {
    let world = World::new(Options::default());
    let process = world.boot();
    let post = Post::new(&world, [lane("a")], Duration::from_secs(30));
    let office = post.of(&process);
    office.send(&lane("a"), Event::Tick).await.unwrap();
    let wait = Millis::from_secs(5);
    let first = office.receive(&lane("a"), wait).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(
        office.receive(&lane("a"), wait).await.unwrap().is_empty(),
        "it is hidden"
    );
    let again = office.receive(&lane("a"), Millis::from_secs(60)).await.unwrap();
    assert_eq!(again.len(), 1);
    office.done(&lane("a"), vec![first[0].receipt.clone()]).await;
    assert_eq!(
        post.lane(&lane("a")).unwrap().len(),
        1,
        "a receipt is void once it has come again"
    );
    office.done(&lane("a"), vec![again[0].receipt.clone()]).await;
    assert!(post.lane(&lane("a")).unwrap().is_empty());
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

pub struct ModelStand {
    model: MemoryModel,
    behaviours: Behaviours,
    calls: u64,
}

impl ModelStand {
    pub fn new() -> Self {
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
                // Lets time pass, so that a case whose call is never dropped comes to its end.
                tokio::time::sleep(Duration::from_millis(1)).await;
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
