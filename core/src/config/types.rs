//! The configuration as the program uses it; units are types, defaults are filled in, names are checked.

use super::limits::{Bound, Limits};
use crate::breaker::BreakerConfig;
use crate::ids::{LaneId, ModelId, TenantId};
use crate::request::Priority;
use crate::units::{Millis, RequestsPerMinute, TokensPerDay, TokensPerMinute};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// When a synchronous call may go on before its writes are durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Never (the default).
    #[default]
    Strict,
    /// Always; jobs still wait.
    Relaxed,
}

/// How a lane's releases are paced against a limiter that is not published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pacing {
    /// The least of four ledgers: admits only what every known kind of limiter would.
    #[default]
    Auto,
    /// Finds out which limiter stands upstream, and paces for that.
    Eager,
    /// A sliding window of 60 s alone.
    Window,
    /// A token bucket of this capacity alone.
    Bucket {
        /// Capacity in seconds of quota.
        seconds: u64,
    },
}

/// One upstream quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneConfig {
    /// Its name.
    pub id: LaneId,
    /// Ids, profile ids or ARNs that lead to it; at least one, but for a lane that is gone.
    pub models: Vec<ModelId>,
    /// AWS Region of the endpoint.
    pub region: String,
    /// Another endpoint than the Region's own.
    pub endpoint: Option<String>,
    /// Role of the account whose quota it is.
    pub role_arn: Option<String>,
    /// Tokens per minute.
    pub tokens_per_minute: TokensPerMinute,
    /// Requests per minute, where enforced.
    pub requests_per_minute: Option<RequestsPerMinute>,
    /// Tokens per day, where enforced.
    pub tokens_per_day: Option<TokensPerDay>,
    /// Calls at once.
    pub max_concurrency: u32,
    /// Tokens of quota an output token costs.
    pub output_burndown: u64,
    /// The model's own maximum of output tokens: counts where a caller sets none.
    pub max_output_tokens: u64,
    /// How releases are paced.
    pub pacing: Pacing,
    /// Longest time between two chunks of an answer, and until the first.
    pub chunk_timeout: Millis,
    /// Longest time of one call.
    pub call_timeout: Millis,
    /// Transient errors after which a request fails.
    pub max_tries: u32,
    /// Where requests go that the lane cannot serve.
    pub fallback: FallbackConfig,
    /// When the lane is left alone.
    pub breaker: BreakerConfig,
}

impl LaneConfig {
    /// A lane that is not configured any more, as whoever finds requests in it takes it up: nobody is let go in it, and
    /// what waits goes on in its chain or fails. A call that was made in it lasts no longer than `call_timeout`.
    pub fn gone(id: LaneId, call_timeout: Millis) -> Self {
        Self {
            id,
            models: Vec::new(),
            region: String::new(),
            endpoint: None,
            role_arn: None,
            tokens_per_minute: TokensPerMinute::new(1),
            requests_per_minute: None,
            tokens_per_day: None,
            max_concurrency: 1,
            output_burndown: 1,
            max_output_tokens: 1,
            pacing: Pacing::Window,
            chunk_timeout: call_timeout,
            call_timeout,
            max_tries: 1,
            fallback: FallbackConfig::default(),
            breaker: BreakerConfig::default(),
        }
    }

    /// Whether it is not configured any more: no model leads to it.
    pub fn is_gone(&self) -> bool {
        self.models.is_empty()
    }
}

/// What becomes of requests that a lane cannot serve, and which of others' it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FallbackConfig {
    /// The lanes they go on in, in this order.
    pub lanes: Vec<LaneId>,
    /// The text they are answered with in the end.
    pub degraded_answer: Option<String>,
    /// The lane serves only what falls back to it.
    pub standby: bool,
    /// The model that is called, whichever the caller names.
    pub call_model: Option<ModelId>,
}

/// Shares of the bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityWeights([u32; 3]);

impl PriorityWeights {
    /// Weights of interactive, normal, batch; each at least 1.
    pub const fn new(interactive: u32, normal: u32, batch: u32) -> Option<Self> {
        if interactive == 0 || normal == 0 || batch == 0 {
            return None;
        }
        Some(Self([interactive, normal, batch]))
    }

    /// One band's weight.
    pub const fn of(&self, priority: Priority) -> u32 {
        self.0[priority.index()]
    }
}

impl Default for PriorityWeights {
    fn default() -> Self {
        Self([70, 25, 5])
    }
}

/// One tenant's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantConfig {
    /// Share among its band's tenants; at least 1.
    pub weight: u32,
    /// Where its requests name none.
    pub default_priority: Priority,
    /// The best it may ask for.
    pub highest_priority: Priority,
    /// Calls it may have under way at once in each lane, if there is a limit.
    pub max_concurrency: Option<u32>,
    /// What of it may wait in each lane, where that is its own.
    pub max_waiting: Bound,
    /// Whether its requests may go with a smaller max_tokens than they ask for.
    pub right_size: bool,
}

impl Default for TenantConfig {
    fn default() -> Self {
        Self {
            weight: 1,
            default_priority: Priority::Normal,
            highest_priority: Priority::Interactive,
            max_concurrency: None,
            max_waiting: Bound::default(),
            right_size: false,
        }
    }
}

/// The process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps its data.
    pub data_dir: String,
    /// When synchronous calls may go on.
    pub durability: Durability,
    /// Largest body accepted, in bytes.
    pub max_body_bytes: u64,
    /// Longest a caller on Bedrock's wire is kept waiting where it says nothing.
    pub sync_timeout: Millis,
    /// How long a gone caller is waited for before its request is cancelled.
    pub disconnect_grace: Millis,
    /// Longest wait for running calls at shutdown.
    pub drain_timeout: Millis,
    /// Whether the header that names a tenant is believed.
    pub trust_tenant: bool,
    /// How long results are kept after the end.
    pub retention: Millis,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The process.
    pub server: ServerConfig,
    /// The quotas, by name. Empty means: start the bundled simulator.
    pub lanes: BTreeMap<LaneId, LaneConfig>,
    /// Shares of the bands.
    pub priorities: PriorityWeights,
    /// How much may wait.
    pub limits: Limits,
    /// Tenants with settings of their own.
    pub tenants: BTreeMap<TenantId, TenantConfig>,
}

impl Config {
    /// A tenant's settings, its own or the default ones.
    pub fn tenant(&self, id: &TenantId) -> TenantConfig {
        self.tenants.get(id).cloned().unwrap_or_default()
    }

    /// The lanes among which a model's calls are spread.
    pub fn lanes_of(&self, model: &ModelId) -> impl Iterator<Item = &LaneConfig> {
        self.lanes
            .values()
            .filter(|lane| !lane.fallback.standby && lane.models.contains(model))
    }
}
