//! Bursts over a quota: does every call get its answer, how much of the quota is used, who waits how long.

use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{complaint, errors, estimate_error, first_error};
use crate::driver::{Bench, Schedule, Stand, calls};
use crate::files::{Limiter, Measure, Workload};
use crate::plan::{Outcome, Pace, Results};
use crate::report::{Table, figure, percent};
use crate::stats::Sample;

/// What one seed gave.
struct Run {
    results: Results,
    /// The simulator's statistics.
    stats: Value,
    /// Mean error of the target's estimates of inputs.
    estimate_error: Option<f64>,
}

struct Burst {
    calls: u64,
    seconds: u64,
    processes: usize,
}

pub(super) async fn run(bench: &Bench, workload: &Workload) -> anyhow::Result<Vec<Table>> {
    let Measure::Burst {
        calls,
        seconds,
        processes,
        seeds,
        parallel,
        limiters,
        under_all,
    } = &workload.measure
    else {
        anyhow::bail!("not a burst");
    };
    let burst = Burst {
        calls: *calls,
        seconds: *seconds,
        processes: *processes,
    };
    let gate = Arc::new(Semaphore::new(*parallel));
    let mut table = Table::new([
        "target",
        "upstream limiter",
        "calls",
        "errors",
        "throttled upstream",
        "utilisation (worst seed)",
        "interactive queue p50 / p95 / p99 s",
        "interactive latency p50 / p95 / p99 s",
        "batch latency p95 s",
        "busy s",
        "estimate of input off by",
    ]);
    for (position, limiter) in limiters.iter().enumerate() {
        for target in &workload.targets {
            if position > 0 && !under_all.contains(target) {
                continue;
            }
            let runs = seeds
                .iter()
                .map(|seed| one(bench, workload, target, limiter, &burst, *seed, &gate));
            let runs = futures_util::future::try_join_all(runs).await?;
            let title = bench.target(target)?.title;
            table.notes.extend(complaint(
                &format!("{title}, {}", limiter.name),
                first_error(runs.iter().map(|run| &run.results)),
            ));
            table.row(row(title, limiter, &runs)?);
        }
    }
    Ok(vec![table])
}

async fn one(
    bench: &Bench,
    workload: &Workload,
    target: &str,
    limiter: &Limiter,
    burst: &Burst,
    seed: u64,
    gate: &Semaphore,
) -> anyhow::Result<Run> {
    let _turn = gate.acquire().await?;
    let stand = Stand::set_up(bench, target, workload, &simulator(workload, limiter, seed)).await?;
    let drawn = calls(
        &workload.classes,
        burst.calls,
        Schedule::Uniform(burst.seconds),
        seed,
    );
    let results = stand.ask(burst.processes, Pace::Open, drawn).await?;
    let stats = stand.simulator.json("/stats").await?;
    let estimate_error = estimate_error(stand.server.as_ref()).await;
    stand.take_down().await?;
    Ok(Run {
        results,
        stats,
        estimate_error,
    })
}

/// The simulator's settings under a limiter. A fixed window begins elsewhere for each seed, as a client
/// cannot choose where in the minute it arrives.
fn simulator(workload: &Workload, limiter: &Limiter, seed: u64) -> Value {
    let mut settings = workload.simulator.clone();
    merge(&mut settings, &limiter.settings);
    if limiter.shift_by_seed {
        settings["quota"]["window_phase_ms"] = (seed * 17_387 % 60_000).into();
    }
    settings
}

fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

fn row(title: String, limiter: &Limiter, runs: &[Run]) -> anyhow::Result<[String; 11]> {
    let results = || runs.iter().map(|run| &run.results);
    let of_class = |class: &'static str| {
        results()
            .flat_map(|results| &results.outcomes)
            .filter(move |outcome| outcome.class == class)
    };
    let seconds = |outcome: &Outcome| outcome.latency_us as f64 / 1e6;
    let queue =
        Sample::of(of_class("interactive").filter_map(|outcome| Some(outcome.queue_ms? as f64 / 1e3)));
    let utilisation = figures(runs, "/utilisation/binding")?;
    let throttled: u64 = runs.iter().map(throttled).sum();
    let total: usize = results().map(|results| results.outcomes.len()).sum();
    Ok([
        title,
        limiter.name.clone(),
        total.to_string(),
        errors(results()).to_string(),
        format!(
            "{throttled} ({})",
            percent(Some(throttled as f64 / total.max(1) as f64))
        ),
        format!(
            "{} ({})",
            percent(utilisation.mean()),
            percent(utilisation.range().map(|(worst, _)| worst))
        ),
        three(&queue),
        three(&Sample::of(of_class("interactive").map(seconds))),
        figure(Sample::of(of_class("batch").map(seconds)).permille(950), 1),
        figure(figures(runs, "/busy/busy_ms")?.mean().map(|busy| busy / 1e3), 0),
        percent(Sample::of(runs.iter().filter_map(|run| run.estimate_error)).mean()),
    ])
}

fn three(sample: &Sample) -> String {
    if sample.len() == 0 {
        return "–".to_owned();
    }
    [500, 950, 990]
        .map(|permille| figure(sample.permille(permille), 2))
        .join(" / ")
}

fn figures(runs: &[Run], pointer: &str) -> anyhow::Result<Sample> {
    let values: Option<Vec<f64>> = runs
        .iter()
        .map(|run| run.stats.pointer(pointer)?.as_f64())
        .collect();
    Ok(Sample::of(values.with_context(|| {
        format!("the simulator's statistics have no {pointer}")
    })?))
}

fn throttled(run: &Run) -> u64 {
    let causes = run.stats.get("throttled").and_then(Value::as_object);
    causes
        .into_iter()
        .flatten()
        .filter_map(|(_, count)| count.as_u64())
        .sum()
}
