//! The ports in memory, and a worker that answers as a test tells it to.
#![allow(clippy::unwrap_used)]

mod ambient;
mod free;
mod lanes;
mod live;
mod outputs;
mod requests;
mod store;
mod worker;

pub(crate) use outputs::Known;
pub(crate) use requests::{MODEL, SMALL_MODEL, Said, converse, get, head, post, send, stream_frame};
pub(crate) use store::Fault;

use crate::{Ingest, IngestPorts};
use ambient::{Counted, VirtualClock};
use axum::Router;
use free::Free;
use lanes::Lanes;
use live::Logs;
use smoother_core::config::{Config, Durability, LaneConfig, Pacing, ServerConfig, TenantConfig};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Millis, ModelId, RequestsPerMinute, TenantId, TokensPerMinute};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Memory;

/// An ingest stage among ports in memory.
#[derive(Clone)]
pub(crate) struct Bed {
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) store: Arc<Memory>,
    pub(crate) live: Arc<Logs>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) free: Arc<Free>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        adjust(&mut config);
        let clock = Arc::new(VirtualClock::start());
        let (store, live, lanes, free) = (
            Arc::new(Memory::default()),
            Arc::new(Logs::default()),
            Arc::new(Lanes::new()),
            Arc::new(Free::default()),
        );
        let ports = IngestPorts {
            store: store.clone(),
            payloads: store.clone(),
            lanes: lanes.clone(),
            live: live.clone(),
            views: lanes.clone(),
            free: free.clone(),
            uploads: None,
            outputs: None,
            clock: clock.clone(),
            entropy: Arc::new(Counted::default()),
        };
        Self {
            ingest: Ingest::new(ports, config),
            store,
            live,
            lanes,
            clock,
            free,
        }
    }

    /// The next process, on what this one has stored.
    pub(crate) fn restarted(&self) -> Self {
        Self {
            ingest: Ingest::new(self.ingest.ports.clone(), self.ingest.settings().config.clone()),
            ..self.clone()
        }
    }

    /// A process that hears of no ends, and reads what others have learned of them.
    pub(crate) fn reading(&self, known: Arc<Known>) -> Self {
        let ports = IngestPorts {
            outputs: Some(known),
            ..self.ingest.ports.clone()
        };
        Self {
            ingest: Ingest::new(ports, self.ingest.settings().config.clone()),
            ..self.clone()
        }
    }

    pub(crate) fn router(&self) -> Router {
        self.ingest.router()
    }

    /// The next event that any lane is told; a test that waits for one that never comes fails.
    pub(crate) async fn event(&self) -> Event {
        tokio::time::timeout(Duration::from_secs(120), self.lanes.next())
            .await
            .unwrap()
    }
}

pub(crate) fn lane(name: &str, model: &str, tokens_per_minute: u64) -> LaneConfig {
    LaneConfig {
        id: LaneId::new(name).unwrap(),
        models: vec![ModelId::new(model).unwrap()],
        region: "us-east-1".to_owned(),
        endpoint: None,
        role_arn: None,
        tokens_per_minute: TokensPerMinute::new(tokens_per_minute),
        requests_per_minute: Some(RequestsPerMinute::new(600)),
        tokens_per_day: None,
        max_concurrency: 8,
        output_burndown: 5,
        max_output_tokens: 4_096,
        pacing: Pacing::Auto,
        chunk_timeout: Millis::from_secs(60),
        call_timeout: Millis::from_secs(600),
        max_tries: 3,
        fallback: smoother_core::config::FallbackConfig::default(),
        breaker: smoother_core::breaker::BreakerConfig::default(),
    }
}

fn config() -> Config {
    let lanes = [lane("main", MODEL, 300_000), lane("small", SMALL_MODEL, 2_000)];
    let capped = TenantConfig {
        highest_priority: smoother_core::Priority::Normal,
        ..TenantConfig::default()
    };
    Config {
        server: ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: "unused".to_owned(),
            durability: Durability::Strict,
            max_body_bytes: 64 * 1024,
            sync_timeout: Millis::from_secs(900),
            disconnect_grace: Millis::from_secs(30),
            drain_timeout: Millis::from_secs(60),
            trust_tenant: false,
            retention: Millis::from_secs(86_400),
        },
        lanes: lanes.into_iter().map(|lane| (lane.id.clone(), lane)).collect(),
        priorities: smoother_core::config::PriorityWeights::default(),
        limits: smoother_core::config::Limits::default(),
        tenants: BTreeMap::from([(TenantId::new("capped").unwrap(), capped)]),
    }
}
