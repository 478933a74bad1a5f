//! Every stage, wired as `smoother serve` wires them, over whatever adapters.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use smoother_core::LaneId;
use smoother_core::config::Config;
use smoother_core::ports::{
    BoxFuture, Clock, Dispatch, Entropy, FreeCalls, LaneQueue, LaneViews, Model, Outbox, OutboxEntry,
    Payloads, Released, Store,
};
use smoother_core::scheduler::{Event, LaneView};
use smoother_embedded::Hub;
use smoother_ingest::{Ingest, IngestPorts};
use smoother_prioritizer::{Desk, Lane, LanePorts};
use smoother_results::{
    Notify, NotifyError, Probes, Readiness, Results, ResultsConfig, ResultsPorts, no_such_door,
    no_such_method,
};
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// The adapters, and the ends of the queues that the stages read.
pub struct Adapters {
    /// Requests and calls.
    pub store: Arc<dyn Store>,
    /// Bodies and results.
    pub payloads: Arc<dyn Payloads>,
    /// Terminal states that have to be told.
    pub outbox: Arc<dyn Outbox>,
    /// The way into the lanes.
    pub lanes: Arc<dyn LaneQueue>,
    /// What each lane's task reads.
    pub events: HashMap<LaneId, UnboundedReceiver<Event>>,
    /// The way to the worker.
    pub dispatch: Arc<dyn Dispatch>,
    /// What the worker reads.
    pub released: UnboundedReceiver<Released>,
    /// Upstream.
    pub model: Arc<dyn Model>,
    /// Upstream, for what costs no tokens.
    pub free: Arc<dyn FreeCalls>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// The running stages. Their tasks end when it is dropped.
pub struct Pipeline {
    /// Every door.
    pub router: Router,
    desk: Arc<Desk>,
    lanes: Vec<LaneId>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Pipeline {
    /// Wires the stages and starts every task.
    ///
    /// # Errors
    /// A lane cannot be loaded.
    pub async fn open(config: &Config, adapters: Adapters) -> anyhow::Result<Self> {
        let Adapters {
            store,
            payloads,
            outbox,
            lanes,
            mut events,
            dispatch,
            released,
            model,
            free,
            clock,
            entropy,
        } = adapters;
        let (desk, mut questions) = Desk::open(config.lanes.keys().cloned());
        let (desk, hub) = (Arc::new(desk), Arc::new(Hub::new()));
        let ingest = Ingest::new(
            IngestPorts {
                store: store.clone(),
                payloads: payloads.clone(),
                lanes: lanes.clone(),
                live: hub.clone(),
                views: desk.clone(),
                free,
                uploads: None,
                outputs: None,
                clock: clock.clone(),
                entropy: entropy.clone(),
            },
            config.clone(),
        );
        let worker = Worker::new(
            WorkerPorts {
                store: store.clone(),
                payloads: payloads.clone(),
                lanes: lanes.clone(),
                live: hub.clone(),
                model,
                clock: clock.clone(),
                entropy,
            },
            config.lanes.values().cloned(),
            OpeningPace::default(),
        );
        let results = Results::new(
            ResultsPorts {
                store: store.clone(),
                payloads: payloads.clone(),
                outbox,
                live: hub,
                views: desk.clone(),
                clock: clock.clone(),
            },
            ResultsConfig {
                lanes: config.lanes.values().cloned().collect(),
                hooks: vec![Arc::new(Learning(ingest.clone()))],
                ..ResultsConfig::default()
            },
        );
        let stop = CancellationToken::new();
        let ports = Arc::new(LanePorts {
            store,
            payloads,
            dispatch,
            lanes,
            clock,
        });
        for lane in config.lanes.values() {
            let (task, _) = Lane::load(config, lane, ports.clone()).await?;
            let events = events.remove(&lane.id).context("a lane has its events")?;
            let questions = questions.remove(&lane.id).context("a lane has its questions")?;
            drop(tokio::spawn(task.run(events, questions, stop.clone())));
        }
        drop(tokio::spawn(worker.run(released, stop.clone())));
        drop(tokio::spawn(results.clone().run_outbox(stop.clone())));
        let probes = Probes {
            readiness: Arc::new(|| Readiness::Ready),
            metrics: Arc::new(String::new),
        };
        Ok(Self {
            router: ingest
                .router()
                .merge(results.router(probes))
                .method_not_allowed_fallback(no_such_method)
                .fallback(no_such_door),
            desk,
            lanes: config.lanes.keys().cloned().collect(),
            stop,
        })
    }

    /// Every lane as it shows itself.
    pub async fn views(&self) -> Vec<LaneView> {
        let mut views = Vec::new();
        for lane in &self.lanes {
            views.extend(self.desk.view(lane).await);
        }
        views
    }
}

/// The way in learns from what calls have used.
struct Learning(Arc<Ingest>);

impl Notify for Learning {
    fn name(&self) -> &'static str {
        "learning"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        self.0.ended(&entry.request);
        Box::pin(std::future::ready(Ok(())))
    }
}
