//! The simulator that answers where no lane is configured, so that a first try needs no account.

use anyhow::Context;
use bedrock_sim::{Latency, Oversize, QuotaSettings, RunningSim, Settings, Sim, SimConfig};
use smoother_core::config::Config;

/// The model ids it answers for, one lane each: a current one of each family whose bodies it speaks.
const LANES: [(&str, &str); 4] = [
    ("sonnet", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("haiku", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("nova", "us.amazon.nova-pro-v1:0"),
    ("llama", "us.meta.llama3-3-70b-instruct-v1:0"),
];
const TOKENS_PER_MINUTE: u64 = 1_000_000;
const CALLS_AT_ONCE: u32 = 64;

/// Starts the simulator with latencies as of a real model, and points a lane of `config` at it for each model.
pub(crate) async fn stand_in(config: &mut Config) -> anyhow::Result<RunningSim> {
    let settings = Settings {
        quota: QuotaSettings {
            tokens_per_minute: Some(TOKENS_PER_MINUTE),
            max_concurrency: Some(CALLS_AT_ONCE),
            oversize: Oversize::WhenFull,
            ..QuotaSettings::default()
        },
        latency: Latency {
            base_ms: 300.0,
            per_token_ms: 8.0,
            tokens_per_event: 1,
        },
        ..Settings::default()
    };
    let sim = SimConfig {
        settings,
        ..SimConfig::default()
    };
    let running = Sim::start(sim)
        .await
        .context("the bundled simulator could not be started")?;
    let lanes = Config::load(
        Some(("the bundled simulator's lanes", &lanes(&running.url()))),
        None,
    )
    .context("the bundled simulator's lanes")?;
    config.lanes = lanes.lanes;
    Ok(running)
}

fn lanes(endpoint: &str) -> String {
    LANES
        .iter()
        .map(|(name, model)| {
            format!(
                "[lanes.{name}]\nmodels = [\"{model}\"]\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n\
                 tokens_per_minute = {TOKENS_PER_MINUTE}\nmax_concurrency = {CALLS_AT_ONCE}\n"
            )
        })
        .collect()
}
