//! A simulator of Amazon Bedrock's bedrock-runtime that enforces quotas as Bedrock documents them.
//!
//! It answers Converse, ConverseStream, InvokeModel and InvokeModelWithResponseStream in Bedrock's
//! own wire, so that any AWS SDK talks to it by its endpoint URL alone, and it judges its client: it
//! throttles what exceeds the quota and counts what it saw. It computes costs on its own and shares
//! no code with the client under test.
//!
//! ```no_run
//! # async fn run() -> Result<(), bedrock_sim::StartError> {
//! use bedrock_sim::{Settings, Sim, SimConfig};
//!
//! let mut settings = Settings::default();
//! settings.quota.tokens_per_minute = Some(300_000);
//! let sim = Sim::start(SimConfig { settings, ..SimConfig::default() }).await?;
//! println!("endpoint {}", sim.url());
//! let stats = sim.stats();
//! assert_eq!(stats.total.throttled.total(), 0);
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Layers, each using only those before it: [`quota`], [`fault`] and [`script`] decide, with the time as an
//! argument; `request` reads a call into a plan; `answer` writes a plan out; `state` joins quotas,
//! statistics and log behind one lock; `server` moves bytes and waits.

mod answer;
mod calls;
pub mod cli;
mod clock;
mod error;
pub mod fault;
mod hash;
mod mark;
mod models;
mod object;
pub mod quota;
mod region;
mod request;
pub mod script;
mod server;
mod settings;
mod state;
mod stats;

pub use self::calls::{CallRecord, Outcome};
pub use self::clock::Micros;
pub use self::error::{ErrorKind, Failure, SimError};
pub use self::script::{Script, ScriptError, Slow, SpanCounts};
pub use self::server::{RunningSim, Sim, SimConfig, StartError};
pub use self::settings::{
    Latency, LimiterKind, Limits, ModelSettings, Oversize, QuotaSettings, RegionSettings, Settings,
    SettingsError,
};
pub use self::stats::{BusyReport, Counts, End, ModelReport, StatsReport, Throttled, Utilisation};
