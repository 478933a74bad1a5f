//! The log: lines of JSON on stderr.

use anyhow::ensure;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Logs what this project's own code says from `SMOOTHER_LOG` on. Dependencies are heard from `warn` on and no lower,
/// whatever is asked for: on their finer levels they would write requests and credentials out.
pub(crate) fn to_stderr() -> anyhow::Result<()> {
    const LEVELS: [(&str, LevelFilter); 5] = [
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    const OWN: [&str; 9] = [
        "bootstrap",
        "smoother_core",
        "smoother_ingest",
        "smoother_prioritizer",
        "smoother_worker",
        "smoother_results",
        "smoother_bedrock",
        "smoother_embedded",
        "smoother_aws",
    ];
    let asked = std::env::var("SMOOTHER_LOG").ok();
    let named = |name: &str| {
        LEVELS
            .iter()
            .find(|(level, _)| *level == name)
            .map(|(_, level)| *level)
    };
    let level = asked.as_deref().map_or(Some(LevelFilter::INFO), named);
    let own = OWN.map(|name| (name, level.unwrap_or(LevelFilter::INFO)));
    // By targets, not by expressions: those would bring an engine for regular expressions into a binary that each cold
    // start loads.
    let targets = Targets::new().with_default(LevelFilter::WARN).with_targets(own);
    let lines = fmt::layer()
        .json()
        .with_writer(std::io::stderr)
        // A line that cannot be written is no reason to fail: told to nobody who reads it, that would panic.
        .log_internal_errors(false)
        .with_current_span(false);
    registry().with(lines.with_filter(targets)).init();
    ensure!(
        level.is_some(),
        "SMOOTHER_LOG={:?}: allowed are {}",
        asked.unwrap_or_default(),
        LEVELS.map(|(name, _)| name).join(", ")
    );
    Ok(())
}
