//! What the stage is made of.

use arc_swap::ArcSwap;
use smoother_core::config::LaneConfig;
use smoother_core::ports::{Clock, LaneViews, Live, Outbox, Payloads, Store};
use smoother_core::{LaneId, Millis, Request, RequestId, TenantId};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

use crate::outbox::Notify;
use crate::problem::Problem;

/// The ports the stage reads from and tells through.
#[derive(Clone)]
pub struct ResultsPorts {
    /// Rows and calls.
    pub store: Arc<dyn Store>,
    /// Results.
    pub payloads: Arc<dyn Payloads>,
    /// Terminal states that have to be told.
    pub outbox: Arc<dyn Outbox>,
    /// Those who wait.
    pub live: Arc<dyn Live>,
    /// Lanes and forecasts.
    pub views: Arc<dyn LaneViews>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for ResultsPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultsPorts").finish_non_exhaustive()
    }
}

/// How the stage behaves.
#[derive(Clone)]
pub struct ResultsConfig {
    /// The lanes as configured at the start: what `/v1/models` lists and `/v1/lanes` adds.
    pub lanes: Vec<LaneConfig>,
    /// Whether the header that names a tenant is believed.
    pub trust_tenant: bool,
    /// Longest a `wait_ms` is honoured.
    pub longest_wait: Millis,
    /// While someone waits, the row is read again this often, for changes that were made in another process and
    /// reach no log here.
    pub reread_every: Millis,
    /// Most entries read from the outbox at once.
    pub outbox_batch: usize,
    /// Told entries are marked at most this often: marking is a write, and telling twice after a crash is
    /// allowed.
    pub mark_every: Millis,
    /// Who is told of terminal states, besides readers and metrics.
    pub hooks: Vec<Arc<dyn Notify>>,
}

impl Default for ResultsConfig {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            trust_tenant: false,
            longest_wait: Millis::from_secs(60),
            reread_every: Millis::from_secs(1),
            outbox_batch: 512,
            mark_every: Millis::new(250),
            hooks: Vec::new(),
        }
    }
}

impl fmt::Debug for ResultsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultsConfig")
            .field("lanes", &self.lanes)
            .field("hooks", &self.hooks.iter().map(|h| h.name()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The results stage; see the crate's own text.
#[derive(Debug)]
pub struct Results {
    pub(crate) ports: ResultsPorts,
    pub(crate) config: ResultsConfig,
    lanes: ArcSwap<Vec<LaneConfig>>,
    trust_tenant: AtomicBool,
    /// The lanes whose dead letters have a gauge.
    pub(crate) with_letters: Mutex<BTreeSet<LaneId>>,
    pub(crate) draining: CancellationToken,
}

impl Results {
    /// Wires the stage; nothing runs until [`Results::router`] is served and [`Results::run_outbox`] polled.
    pub fn new(ports: ResultsPorts, config: ResultsConfig) -> Arc<Self> {
        Arc::new(Self {
            ports,
            lanes: ArcSwap::from_pointee(config.lanes.clone()),
            trust_tenant: AtomicBool::new(config.trust_tenant),
            config,
            with_letters: Mutex::default(),
            draining: CancellationToken::new(),
        })
    }

    /// Shows these lanes from now on, and believes the header that names a tenant, or does not.
    pub fn reconfigure(&self, lanes: Vec<LaneConfig>, trust_tenant: bool) {
        self.lanes.store(Arc::new(lanes));
        self.trust_tenant.store(trust_tenant, Ordering::Relaxed);
    }

    /// Whether the header that names a tenant is believed now.
    pub(crate) fn trusts_tenants(&self) -> bool {
        self.trust_tenant.load(Ordering::Relaxed)
    }

    /// Ends every long poll with what is known now, and begins no other: the root calls it when it stops
    /// admitting, or callers who wait for jobs would hold up the end of the process.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// The row of `id`, if it is `tenant`'s.
    pub(crate) async fn row(&self, tenant: &TenantId, id: RequestId) -> Result<Request, Problem> {
        match self.ports.store.get(id).await? {
            Some(row) if row.tenant == *tenant => Ok(row),
            _ => Err(Problem::no_job(id)),
        }
    }

    /// The lanes as configured now.
    pub(crate) fn lanes(&self) -> Arc<Vec<LaneConfig>> {
        self.lanes.load_full()
    }

    /// One of them.
    pub(crate) fn lane(&self, id: &LaneId) -> Option<LaneConfig> {
        self.lanes.load().iter().find(|lane| lane.id == *id).cloned()
    }
}
