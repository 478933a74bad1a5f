//! The stage itself: what it is built of, how it learns, how it stops.

use crate::callers::Callers;
use crate::learned::Learned;
use crate::meters::Meters;
use crate::resize::Unsized;
use crate::route::Routes;
use arc_swap::ArcSwap;
use smoother_core::config::Config;
use smoother_core::estimate::{Answers, ErrorStats, OutputKey};
use smoother_core::ports::{
    Clock, Entropy, FreeCalls, LaneQueue, LaneViews, Live, Payloads, SharedOutputs, Store, Uploads,
};
use smoother_core::request::Runner;
use smoother_core::{Outcome, Request, Timestamp, Usage};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the way in needs of the world.
#[derive(Clone)]
pub struct IngestPorts {
    /// Requests.
    pub store: Arc<dyn Store>,
    /// Bodies and results.
    pub payloads: Arc<dyn Payloads>,
    /// The way into the lanes.
    pub lanes: Arc<dyn LaneQueue>,
    /// What requests are doing.
    pub live: Arc<dyn Live>,
    /// Where requests stand.
    pub views: Arc<dyn LaneViews>,
    /// The way past the queue, for what costs no tokens.
    pub free: Arc<dyn FreeCalls>,
    /// Places for jobs that are too large for a door, where there are any.
    pub uploads: Option<Arc<dyn Uploads>>,
    /// What is known of outputs, where ends come to other processes ([`crate::Teacher`]); `None` where this one hears
    /// of them all ([`Ingest::ended`]).
    pub outputs: Option<Arc<dyn SharedOutputs>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// What a submission is taken in by, all of it of one configuration.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) routes: Routes,
    pub(crate) meters: Meters,
}

impl Settings {
    fn new(config: Config) -> Self {
        let routes = Routes::new(&config);
        let meters = Meters::new(routes.lanes().keys());
        Self {
            config,
            routes,
            meters,
        }
    }
}

/// The way in.
pub struct Ingest {
    pub(crate) ports: IngestPorts,
    /// Who makes the calls of those who wait on a connection.
    pub(crate) runner: Runner,
    settings: ArcSwap<Settings>,
    /// When every caller on a connection is answered at the latest, in milliseconds since the epoch.
    answers_by: AtomicU64,
    pub(crate) learned: Learned,
    /// Those that wait and could be smaller.
    pub(crate) unsized_ones: Unsized,
    /// Cancelled when nothing more is admitted.
    pub(crate) draining: CancellationToken,
    /// Those who wait for gone callers.
    pub(crate) tasks: TaskTracker,
    /// Who waits for which request.
    pub(crate) callers: Callers,
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest")
            .field("config", &self.settings.load().config)
            .finish_non_exhaustive()
    }
}

impl Ingest {
    /// The stage for this configuration.
    pub fn new(ports: IngestPorts, config: Config) -> Arc<Self> {
        Self::run_by(ports, config, Runner::Worker)
    }

    /// The same, where `runner` makes the calls of those who wait on a connection.
    pub fn run_by(ports: IngestPorts, config: Config, runner: Runner) -> Arc<Self> {
        Arc::new(Self {
            ports,
            runner,
            settings: ArcSwap::from_pointee(Settings::new(config)),
            answers_by: AtomicU64::new(Timestamp::NEVER.as_millis()),
            learned: Learned::default(),
            unsized_ones: Unsized::default(),
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            callers: Callers::default(),
        })
    }

    /// Takes submissions in by this configuration from now on; one that is being taken in is so by the former.
    pub fn reconfigure(&self, config: Config) {
        self.settings.store(Arc::new(Settings::new(config)));
    }

    /// Whoever comes to wait on a connection from now on is answered by then, whatever limit is its own: for a process
    /// that does not live longer.
    pub fn answer_by(&self, at: Timestamp) {
        self.answers_by.store(at.as_millis(), Ordering::Relaxed);
    }

    pub(crate) fn answers_by(&self) -> Timestamp {
        Timestamp::from_millis(self.answers_by.load(Ordering::Relaxed))
    }

    /// The settings as they are now; whoever takes several things from them holds on to these.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// A request has ended: learns from its answer, if it had one. Gives what was learned of outputs since it was last
    /// kept, now and then, for whoever keeps it for the next process.
    pub fn ended(self: &Arc<Self>, request: &Request) -> Vec<(OutputKey, Option<Answers>)> {
        self.unsized_ones.forget(request.id);
        match &request.outcome {
            Some(Outcome::Answer {
                usage: Some(usage), ..
            }) => self.learn(request, usage),
            _ => Vec::new(),
        }
    }

    /// Learns from a call that gave a whole answer: `usage` is what Bedrock counted for `request`.
    pub(crate) fn learn(
        self: &Arc<Self>,
        request: &Request,
        usage: &Usage,
    ) -> Vec<(OutputKey, Option<Answers>)> {
        let kept = self.learned.learn(request, usage, self.ports.clock.now());
        self.resize_like(request);
        kept
    }

    /// Everything that was learned of outputs and is not kept yet.
    pub fn to_keep(&self) -> Vec<(OutputKey, Option<Answers>)> {
        self.learned.to_keep()
    }

    /// Takes up what an earlier process has learned of outputs.
    pub fn restore(&self, kept: Vec<(OutputKey, Answers)>) {
        self.learned.restore(kept);
    }

    /// How far the estimates of input have been from what Bedrock counted.
    pub fn estimate_errors(&self) -> ErrorStats {
        self.learned.errors()
    }

    /// Whether new submissions are refused because the process is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Resolves when nothing is under way for callers who have gone: for a process that stands still in between. While
    /// callers are awaited who may come back, it waits for them.
    pub async fn at_rest(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        // Closed for good where nothing more is admitted.
        if !self.is_draining() {
            self.tasks.reopen();
        }
    }

    /// Stops admitting. Synchronous callers whose call has not started are told to send again (their requests stay
    /// queued for the next process); those whose call is under way go on waiting for it. Resolves once nobody
    /// waits for a gone caller any more; their requests, too, are left to the next process.
    pub async fn drain(&self) {
        self.draining.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
