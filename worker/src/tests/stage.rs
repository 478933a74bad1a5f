//! What the tests stand on: a store in a temporary directory, one lane whose queue is tapped, a scripted model.

use super::faults::Faults;
use crate::{OpeningPace, Worker, WorkerPorts};
use bytes::Bytes;
use futures_util::StreamExt;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{
    BoxFuture, Clock, Ended, Entropy, Inserted, Model, NewRequest, PayloadKind, Payloads, Reader, Released,
    Store, Update,
};
use smoother_core::request::Fresh;
use smoother_core::scheduler::Event;
use smoother_core::{
    Change, Door, Estimate, LaneId, Millis, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead,
    ModelStream, Operation, Request, RequestId, TenantId, Tokens, Usage,
};
use smoother_embedded::{Hub, LaneChannels, OpenOptions, SqliteStore, SystemClock};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::sync::CancellationToken;

/// One step of a scripted answer.
pub(super) enum Step {
    Event(ModelEvent),
    Error(ModelError),
    /// Nothing more comes, and the stream does not end.
    Hang,
    /// The program's own fault.
    Panic,
}

/// What the model does with one call.
pub(super) enum Script {
    Refuse(ModelError),
    Answer(Vec<Step>),
    /// The program's own fault.
    Panic,
}

#[derive(Default)]
pub(super) struct ScriptedModel {
    scripts: Mutex<VecDeque<Script>>,
    pub(super) calls: Mutex<Vec<ModelCall>>,
}

impl Model for ScriptedModel {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        self.calls.lock().unwrap().push(call);
        let script = self
            .scripts
            .lock()
            .unwrap()
            .pop_front()
            .expect("no script for this call");
        Box::pin(async move {
            let steps = match script {
                Script::Refuse(error) => return Err(error),
                Script::Panic => panic!("as the test wants it"),
                Script::Answer(steps) => steps,
            };
            let events = futures_util::stream::iter(steps).then(|step| async move {
                match step {
                    Step::Event(event) => Ok(event),
                    Step::Error(error) => Err(error),
                    Step::Hang => std::future::pending().await,
                    Step::Panic => panic!("as the test wants it"),
                }
            });
            let head = ModelHead {
                content_type: "application/json".to_owned(),
                headers: vec![("x-amzn-requestid".to_owned(), "upstream-1".to_owned())],
            };
            Ok(ModelStream {
                head,
                events: Box::pin(events),
            })
        })
    }
}

/// Chance that is always in the middle.
struct Even;

impl Entropy for Even {
    fn bytes(&self) -> [u8; 10] {
        [7; 10]
    }
    fn below(&self, bound: u64) -> u64 {
        bound / 2
    }
}

pub(super) struct Stage {
    pub(super) store: Arc<SqliteStore>,
    /// What the worker sees of it.
    pub(super) faults: Arc<Faults>,
    pub(super) hub: Arc<Hub>,
    pub(super) model: Arc<ScriptedModel>,
    pub(super) clock: Arc<SystemClock>,
    pub(super) tap: UnboundedReceiver<(LaneId, Event)>,
    pub(super) worker: Arc<Worker>,
    dispatch: UnboundedSender<Released>,
    stop: CancellationToken,
    lane: LaneConfig,
    numbers: AtomicU64,
    _events: HashMap<LaneId, UnboundedReceiver<Event>>,
    _dir: TempDir,
}

impl Stage {
    /// A worker at work on a lane with these settings besides the usual ones.
    pub(super) fn new(settings: &str) -> Self {
        Self::paced(settings, OpeningPace::default())
    }

    /// The same, opening calls at this pace.
    pub(super) fn paced(settings: &str, pace: OpeningPace) -> Self {
        let text = format!(
            "[lanes.a]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 100000\noutput_burndown = 5\n{settings}"
        );
        let config = Config::load(Some(("test", &text)), None).unwrap();
        let lane = config.lanes.values().next().unwrap().clone();
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new(smoother_core::Timestamp::EPOCH));
        let store = SqliteStore::open(&OpenOptions::new(dir.path()), clock.clone())
            .unwrap()
            .store;
        let hub = Arc::new(Hub::new());
        let (channels, events) = LaneChannels::new(config.lanes.keys().cloned());
        let tap = channels.tap();
        let model = Arc::new(ScriptedModel::default());
        let faults = Arc::new(Faults::new(store.clone()));
        let ports = WorkerPorts {
            store: faults.clone(),
            payloads: faults.clone(),
            lanes: Arc::new(channels),
            live: hub.clone(),
            model: model.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Even),
        };
        let worker = Worker::new(ports, config.lanes.values().cloned(), pace);
        let (dispatch, released) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        tokio::spawn(worker.clone().run(released, stop.clone()));
        let numbers = AtomicU64::new(0);
        Self {
            store,
            faults,
            hub,
            model,
            clock,
            tap,
            worker,
            dispatch,
            stop,
            lane,
            numbers,
            _events: events,
            _dir: dir,
        }
    }

    pub(super) fn script(&self, script: Script) {
        self.model.scripts.lock().unwrap().push_back(script);
    }

    /// A stored, QUEUED request.
    pub(super) async fn request(&self, operation: Operation, change: impl FnOnce(&mut Request)) -> Request {
        let now = self.clock.now();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let mut request = Request::fresh(Fresh {
            id: RequestId::fresh(now, random),
            tenant: TenantId::default(),
            lane: self.lane.id.clone(),
            model: self.lane.models[0].clone(),
            operation,
            door: Door::Sync,
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
        let body = self
            .store
            .keep(request.id, PayloadKind::Body, Bytes::from_static(b"{}"))
            .await
            .unwrap();
        let inserted = self
            .store
            .insert(NewRequest {
                request: request.clone(),
                body,
            })
            .await
            .unwrap();
        assert!(matches!(inserted, Inserted::Fresh));
        request
    }

    /// Releases a request as its next call and hands it to the worker.
    pub(super) async fn release(&self, id: RequestId) -> Released {
        let released = self.record_release(id).await;
        self.deliver(released.clone());
        released
    }

    /// Releases a request as its next call; the worker does not hear of it yet.
    pub(super) async fn record_release(&self, id: RequestId) -> Released {
        let row = self.store.get(id).await.unwrap().unwrap();
        let now = self.clock.now();
        let (call, start_by) = (row.call.next(), now + Millis::from_secs(20));
        let reserve = Tokens::new(1_100);
        self.store
            .change(
                id,
                Change::Release {
                    lane: row.lane.clone(),
                    call,
                    reserve,
                    start_by,
                    at: now,
                },
            )
            .await
            .unwrap();
        Released {
            request: id,
            call,
            lane: row.lane,
            start_by,
        }
    }

    /// Delivers a release once more.
    pub(super) fn deliver(&self, released: Released) {
        self.dispatch.send(released).unwrap();
    }

    /// The next event on the lane queue.
    pub(super) async fn told(&mut self) -> Event {
        self.tap.recv().await.expect("the lane queue is closed").1
    }

    /// The next event on the lane queues, and which lane's it is.
    pub(super) async fn told_to(&mut self) -> (LaneId, Event) {
        self.tap.recv().await.expect("the lane queues are closed")
    }

    /// The next event of a call's end on the lane queue.
    pub(super) async fn ended(&mut self) -> Event {
        loop {
            let event = self.told().await;
            if matches!(event, Event::Ended { .. }) {
                return event;
            }
        }
    }

    /// Stops taking up releases and waits for the calls under way.
    pub(super) async fn drain(&self) {
        self.stop.cancel();
        assert_eq!(self.worker.drain(std::time::Duration::from_secs(10)).await, 0);
    }
}

/// Reads a request's log to its end.
pub(super) async fn to_the_end(mut reader: Box<dyn Reader>) -> (Vec<Bytes>, Arc<Ended>) {
    let mut frames = Vec::new();
    loop {
        match reader.next().await.expect("the log ended without an end") {
            Update::Call(_) => frames.clear(),
            Update::Frame(frame) => frames.push(frame),
            Update::Ended(ended) => return (frames, ended),
            Update::State(_) | Update::Head(_) => {}
            Update::NotStored(error) => panic!("{error}"),
        }
    }
}

/// A whole answer of 90 input and 40 output tokens.
pub(super) fn answer(text: &'static str) -> Script {
    let usage = Usage {
        input: Tokens::new(90),
        output: Tokens::new(40),
        ..Usage::default()
    };
    Script::Answer(vec![
        Step::Event(ModelEvent::Body(Bytes::from_static(text.as_bytes()))),
        Step::Event(ModelEvent::Usage(usage)),
    ])
}

/// An error of this kind before anything was accepted.
pub(super) fn refusal(kind: ModelErrorKind) -> Script {
    Script::Refuse(error(kind, 429, "ThrottlingException"))
}

pub(super) fn error(kind: ModelErrorKind, status: u16, exception: &str) -> ModelError {
    ModelError {
        kind,
        status,
        exception: exception.to_owned(),
        message: "because".to_owned(),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}
