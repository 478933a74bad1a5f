//! A lane's task and two workers on a store in a temporary directory.

use crate::post::{Gate, Queue, Upstream};
use bytes::Bytes;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{
    Clock, LaneQueue, LaneViews, NewRequest, Outbox, PayloadKind, PayloadRef, Payloads, Released, Store,
};
use smoother_core::request::Fresh;
use smoother_core::scheduler::{Event, LaneView, Waiting};
use smoother_core::{
    Call, Change, Door, Estimate, Operation, Request, RequestId, TenantId, Timestamp, Tokens,
};
use smoother_embedded::{
    DispatchChannel, Hub, LaneChannels, OpenOptions, OsEntropy, SqliteStore, SystemClock,
};
use smoother_prioritizer::{Desk, Lane, LanePorts};
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a request reserves: 100 tokens in, at most 1,000 out.
pub const RESERVE: u64 = 1_100;
/// What an answer costs: 90 tokens in and 40 out, which burn down at 5.
pub const COST: u64 = 90 + 5 * 40;

const SETTINGS: &str = "[lanes.a]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 100000\n\
                        output_burndown = 5\n";
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Stage {
    pub store: Arc<SqliteStore>,
    pub clock: Arc<SystemClock>,
    config: Config,
    queue: Arc<Queue>,
    upstream: UnboundedReceiver<Upstream>,
    workers: [UnboundedSender<Released>; 2],
    crew: Vec<Arc<Worker>>,
    stop_workers: CancellationToken,
    holder: Holder,
    _dir: TempDir,
}

/// Whoever holds the lane.
struct Holder {
    desk: Desk,
    released: UnboundedReceiver<Released>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Holder {
    async fn take_up(
        config: &Config,
        store: &Arc<SqliteStore>,
        clock: &Arc<SystemClock>,
    ) -> (Self, Arc<LaneChannels>) {
        let lane = config.lanes.values().next().unwrap();
        let (queue, mut events) = LaneChannels::new([lane.id.clone()]);
        let queue = Arc::new(queue);
        let (desk, mut questions) = Desk::open([lane.id.clone()]);
        let (dispatch, released) = DispatchChannel::new();
        let ports = LanePorts {
            store: store.clone(),
            payloads: store.clone(),
            dispatch: Arc::new(dispatch),
            lanes: queue.clone(),
            clock: clock.clone(),
        };
        let stop = CancellationToken::new();
        let (task, _) = Lane::load(config, lane, Arc::new(ports)).await.unwrap();
        let running = task.run(
            events.remove(&lane.id).unwrap(),
            questions.remove(&lane.id).unwrap(),
            stop.clone(),
        );
        let holder = Self {
            desk,
            released,
            stop,
            task: tokio::spawn(running),
        };
        (holder, queue)
    }
}

impl Stage {
    pub async fn new() -> Self {
        let config = Config::load(Some(("test", SETTINGS)), None).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let store = SqliteStore::open(&OpenOptions::new(dir.path()), clock.clone())
            .unwrap()
            .store;
        let (holder, queue) = Holder::take_up(&config, &store, &clock).await;
        let queue = Arc::new(Queue::new(queue));
        let (model, upstream) = Gate::new();
        let (model, hub) = (Arc::new(model), Arc::new(Hub::new()));
        let stop_workers = CancellationToken::new();
        let mut crew = Vec::new();
        let workers = [(); 2].map(|()| {
            let ports = WorkerPorts {
                store: store.clone(),
                payloads: store.clone(),
                lanes: queue.clone(),
                live: hub.clone(),
                model: model.clone(),
                clock: clock.clone(),
                entropy: Arc::new(OsEntropy),
            };
            let worker = Worker::new(ports, config.lanes.values().cloned(), OpeningPace::default());
            let (dispatch, released) = unbounded_channel();
            tokio::spawn(worker.clone().run(released, stop_workers.clone()));
            crew.push(worker);
            dispatch
        });
        Self {
            store,
            clock,
            config,
            queue,
            upstream,
            workers,
            crew,
            stop_workers,
            holder,
            _dir: dir,
        }
    }

    pub fn lane(&self) -> &LaneConfig {
        self.config.lanes.values().next().unwrap()
    }

    /// A stored request that its lane is told of.
    pub async fn arrive(&self, change: impl FnOnce(&mut Request)) -> Request {
        let now = self.clock.now();
        let mut request = Request::fresh(Fresh {
            id: RequestId::fresh(now, [7; 10]),
            tenant: TenantId::default(),
            lane: self.lane().id.clone(),
            model: self.lane().models[0].clone(),
            operation: Operation::Converse,
            door: Door::Job,
            arrived_at: now,
            body_hash: [1; 32],
            body_bytes: 2,
            estimate: Estimate {
                input: Tokens::new(100),
                max_output: Tokens::new(1_000),
                expected_output: Tokens::new(100),
            },
        });
        change(&mut request);
        let body = PayloadRef::Inline(Bytes::from_static(b"{}"));
        let new = NewRequest {
            request: request.clone(),
            body,
        };
        self.store.insert(new).await.unwrap();
        self.tell(Event::Arrived(Waiting::priced(&request, 5))).await;
        request
    }

    pub async fn tell(&self, event: Event) {
        self.queue.send(&self.lane().id, event).await.unwrap();
    }

    /// The lane's next release.
    pub async fn release(&mut self) -> Released {
        let next = tokio::time::timeout(PATIENCE, self.holder.released.recv());
        next.await.expect("no release").unwrap()
    }

    /// Hands a release to one of the two workers.
    pub fn deliver(&self, worker: usize, released: &Released) {
        self.workers[worker].send(released.clone()).unwrap();
    }

    /// The next call that goes upstream.
    pub async fn upstream(&mut self) -> Upstream {
        let next = tokio::time::timeout(PATIENCE, self.upstream.recv());
        next.await.expect("no call").unwrap()
    }

    /// Another takes the lane over, as after a restart, while the workers go on with what they had.
    pub async fn change_hands(&mut self) {
        self.holder.stop.cancel();
        (&mut self.holder.task).await.unwrap();
        let (holder, queue) = Holder::take_up(&self.config, &self.store, &self.clock).await;
        self.holder = holder;
        self.queue.redirect(queue);
    }

    /// The lane has read the row of every release that it made, and freed what nobody had claimed.
    pub async fn nothing_released(&self) {
        let lane = &self.lane().id;
        let freed = async {
            while self.holder.desk.view(lane).await.unwrap().released > 0 {
                tokio::task::yield_now().await;
            }
        };
        let freed = tokio::time::timeout(PATIENCE, freed).await;
        freed.expect("what was released is never freed");
    }

    /// Whatever the workers were handed is over, and the lane has heard of it.
    pub async fn rest(&mut self) -> LaneView {
        self.stop_workers.cancel();
        for worker in &self.crew {
            assert_eq!(worker.drain(PATIENCE).await, 0);
        }
        assert!(
            self.upstream.try_recv().is_err(),
            "a call went upstream unasked for"
        );
        self.holder.desk.view(&self.lane().id).await.unwrap()
    }

    pub async fn change(&self, id: RequestId, change: Change) {
        self.store.change(id, change).await.unwrap();
    }

    pub async fn row(&self, id: RequestId) -> Request {
        self.store.get(id).await.unwrap().unwrap()
    }

    pub async fn result(&self, id: RequestId) -> Option<Bytes> {
        self.store.fetch(id, PayloadKind::Result).await.unwrap()
    }

    /// The request's calls; each is settled, and its end was told once.
    pub async fn audit(&self, id: RequestId) -> Vec<Call> {
        assert!(self.row(id).await.state.is_terminal());
        let told = self.store.next(0, 100).await.unwrap();
        assert_eq!(told.iter().filter(|entry| entry.request.id == id).count(), 1);
        let calls = self.store.calls(id).await.unwrap();
        assert!(calls.iter().all(|call| call.settlement.is_some()), "{calls:?}");
        calls
    }
}
