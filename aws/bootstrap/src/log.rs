//! The log: lines of JSON on stderr.

use anyhow::ensure;
use tracing_subscriber::EnvFilter;

/// Logs what this project's own code says from `SMOOTHER_LOG` on. Dependencies are heard from `warn` on and no lower,
/// whatever is asked for: on their finer levels they would write requests and credentials out.
pub(crate) fn to_stderr() -> anyhow::Result<()> {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
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
    let known = asked.as_deref().is_none_or(|level| LEVELS.contains(&level));
    let level = asked.as_deref().filter(|_| known).unwrap_or("info");
    let own = OWN.map(|name| format!("{name}={level}")).join(",");
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(format!("warn,{own}")))
        .with_writer(std::io::stderr)
        .with_current_span(false)
        .init();
    ensure!(
        known,
        "SMOOTHER_LOG={:?}: allowed are {}",
        asked.unwrap_or_default(),
        LEVELS.join(", ")
    );
    Ok(())
}
