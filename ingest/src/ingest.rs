//! The stage itself: what it is built of, how it learns, how it stops.

use crate::callers::Callers;
use crate::learned::Learned;
use crate::meters::Meters;
use crate::route::Routes;
use smoother_core::config::Config;
use smoother_core::estimate::ErrorStats;
use smoother_core::ports::{Clock, Entropy, FreeCalls, LaneQueue, LaneViews, Live, Payloads, Store};
use smoother_core::{Request, Usage};
use std::fmt;
use std::sync::Arc;
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
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The way in.
pub struct Ingest {
    pub(crate) ports: IngestPorts,
    pub(crate) config: Config,
    pub(crate) routes: Routes,
    pub(crate) learned: Learned,
    pub(crate) meters: Meters,
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
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Ingest {
    /// The stage for this configuration.
    pub fn new(ports: IngestPorts, config: Config) -> Arc<Self> {
        let routes = Routes::new(&config);
        let meters = Meters::new(routes.lanes().keys());
        Arc::new(Self {
            ports,
            config,
            routes,
            learned: Learned::default(),
            meters,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            callers: Callers::default(),
        })
    }

    /// Learns from a call that gave a whole answer: `usage` is what Bedrock counted for `request`.
    pub fn learn(&self, request: &Request, usage: &Usage) {
        self.learned.learn(request, usage, self.ports.clock.now());
    }

    /// How far the estimates of input have been from what Bedrock counted.
    pub fn estimate_errors(&self) -> ErrorStats {
        self.learned.errors()
    }

    /// Whether new submissions are refused because the process is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
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
