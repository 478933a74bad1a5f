//! The whole pipeline without a socket: every stage, the real store in a folder of its own, and an upstream that
//! answers at once and remembers what it was sent.

mod upstream;
mod wiring;

use std::sync::Arc;

use axum::Router;
use smoother_core::config::{Config, Durability};
use smoother_core::{LaneId, Timestamp};
use smoother_embedded::{DispatchChannel, LaneChannels, OpenOptions, OsEntropy, SqliteStore, SystemClock};
use tempfile::TempDir;

pub use upstream::{FAILS_ONCE, Upstream, answer_to, events_of, frame, frames_of, head};
pub use wiring::{Adapters, Pipeline};

/// The models of the house's lanes, one of each family that is read differently.
const CONFIG: &str = r#"
[server]
durability = "relaxed"
[lanes.wide]
models = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0", "amazon.titan-text-express-v1",
  "meta.llama3-8b-instruct-v1:0", "acme.unknown-v1:0"]
region = "us-east-1"
tokens_per_minute = 1000000000000
max_concurrency = 1000
max_output_tokens = 64000
[lanes.other]
model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
region = "us-west-2"
tokens_per_minute = 100000
[lanes.frail]
model = "acme.frail-v1:0"
region = "us-east-1"
tokens_per_minute = 1000000000000
max_concurrency = 1000
max_tries = 1
breaker_min_calls = 1000000
"#;

/// A model whose lane tries once: its first error is a job's end.
pub const FRAIL: &str = "acme.frail-v1:0";

/// The pipeline. Its tasks end when it is dropped.
#[derive(Debug)]
pub struct House {
    /// Every door.
    pub router: Router,
    /// What is stored.
    pub store: Arc<SqliteStore>,
    /// What was sent upstream.
    pub upstream: Arc<Upstream>,
    _pipeline: Pipeline,
    _dir: TempDir,
}

impl House {
    /// Wires it and starts every task.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn build() -> anyhow::Result<Self> {
        let config = Config::load(Some(("the house", CONFIG)), None)?;
        let dir = tempfile::tempdir()?;
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let options = OpenOptions {
            durability: Durability::Relaxed,
            ..OpenOptions::new(dir.path())
        };
        let store = SqliteStore::open(&options, clock.clone())?.store;
        let upstream = Arc::new(Upstream::default());
        let (lanes, events) = LaneChannels::new(config.lanes.keys().cloned());
        let (dispatch, released) = DispatchChannel::new();
        let adapters = Adapters {
            store: store.clone(),
            payloads: store.clone(),
            outbox: store.clone(),
            lanes: Arc::new(lanes),
            events,
            dispatch: Arc::new(dispatch),
            released,
            model: upstream.clone(),
            free: upstream.clone(),
            clock,
            entropy: Arc::new(OsEntropy),
        };
        let pipeline = Pipeline::open(&config, adapters).await?;
        Ok(Self {
            router: pipeline.router.clone(),
            store,
            upstream,
            _pipeline: pipeline,
            _dir: dir,
        })
    }
}

/// The lane most models lead to.
///
/// # Errors
/// Never: the name is one.
pub fn wide() -> anyhow::Result<LaneId> {
    Ok(LaneId::new("wide")?)
}
