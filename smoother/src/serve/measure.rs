//! Metrics as Prometheus reads them: how finely each distribution is told.

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use smoother_core::metrics::{COMMIT_SECONDS, COMMIT_WRITES, DECISION_SECONDS, ESTIMATE_ERROR, START_ERROR};
use std::time::Duration;

/// Histograms are swept this often, so that a server that nobody scrapes does not grow.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Bounds in seconds of what callers wait for, from an idle lane to a long backlog.
const WAITS: [f64; 14] = [
    0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];
/// What is of another size, or no time at all.
const OTHERS: [(&str, &[f64]); 5] = [
    (
        DECISION_SECONDS,
        &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 1e-3, 1e-2, 0.1],
    ),
    (
        COMMIT_SECONDS,
        &[
            1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.5, 2.5,
        ],
    ),
    (
        COMMIT_WRITES,
        &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
    ),
    (
        START_ERROR,
        &[
            0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
            1800.0,
        ],
    ),
    (ESTIMATE_ERROR, &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]),
];

/// Records from now on, and keeps the records small.
pub(super) fn install() -> anyhow::Result<PrometheusHandle> {
    let handle = builder()?
        .install_recorder()
        .context("metrics cannot be recorded")?;
    smoother_results::describe_metrics();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let mut builder = PrometheusBuilder::new().set_buckets(&WAITS)?;
    for (name, bounds) in OTHERS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoother_core::metrics::{ALL, Kind};

    /// Values as they come, and the bounds between which each must be told.
    const USUAL: [(&str, f64, [&str; 2]); 5] = [
        (DECISION_SECONDS, 3e-6, ["0.0000025", "0.000005"]),
        (COMMIT_SECONDS, 7e-4, ["0.0005", "0.001"]),
        (COMMIT_WRITES, 5.0, ["4", "8"]),
        (START_ERROR, 4.0, ["3.5", "5"]),
        (ESTIMATE_ERROR, 0.07, ["0.05", "0.1"]),
    ];

    #[test]
    fn what_is_usual_is_told_from_what_is_not() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for (name, value, _) in USUAL {
                metrics::histogram!(name).record(value);
            }
        });
        let text = recorder.handle().render();
        for (name, _, [below, above]) in USUAL {
            for (bound, count) in [(below, 0), (above, 1)] {
                let line = format!("{name}_bucket{{le=\"{bound}\"}} {count}");
                assert!(text.contains(&line), "{line}\n{text}");
            }
        }
    }

    #[test]
    fn everything_else_is_a_wait() {
        for metric in ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
            let other = OTHERS.iter().any(|(name, _)| *name == metric.name);
            assert!(other || metric.name.ends_with("_seconds"), "{}", metric.name);
        }
    }
}
