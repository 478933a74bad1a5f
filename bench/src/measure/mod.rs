//! One module for each way to measure; each gives tables, and some give pictures.

mod burst;
mod closed;
mod contest;
mod degrading;
mod jobs;
mod open;
mod settings;
mod told;
mod trace;

use crate::driver::Bench;
use crate::files::{Measure, Workload};
use crate::plan::Results;
use crate::report::{Findings, Note};
use crate::stats::Sample;

/// Measures a workload.
///
/// # Errors
/// A process does not start or stop, or a client fails as a whole. Failed calls are figures, not errors.
pub async fn run(bench: &Bench, workload: &Workload) -> anyhow::Result<Findings> {
    let tables = match &workload.measure {
        Measure::Open {
            rate,
            seconds,
            rounds,
        } => open::run(bench, workload, *rate, *seconds, *rounds).await,
        Measure::Closed {
            connections,
            warmup,
            count,
            rounds,
        } => closed::run(bench, workload, *connections, *warmup, *count, *rounds).await,
        Measure::Burst(burst) => return burst::run(bench, workload, burst).await,
        Measure::Trace(trace) => return trace::run(bench, workload, trace).await,
        Measure::Degrading {
            calls_per_minute,
            speed,
            phases,
        } => degrading::run(bench, workload, *calls_per_minute, *speed, phases).await,
        Measure::Jobs { .. } => jobs::run(bench, workload).await,
    };
    Ok(Findings::from(tables?))
}

/// Latencies of the answered calls, in milliseconds.
fn latencies<'a>(results: impl IntoIterator<Item = &'a Results>) -> Sample {
    let outcomes = results.into_iter().flat_map(|results| &results.outcomes);
    Sample::of(
        outcomes
            .filter(|outcome| outcome.error.is_none())
            .map(|outcome| outcome.latency_us as f64 / 1e3),
    )
}

/// How many calls were not answered.
fn errors<'a>(results: impl IntoIterator<Item = &'a Results>) -> usize {
    results
        .into_iter()
        .flat_map(|results| &results.outcomes)
        .filter(|outcome| outcome.error.is_some())
        .count()
}

/// The first error that a client saw, to be told beside the figures.
fn first_error<'a>(results: impl IntoIterator<Item = &'a Results>) -> Option<&'a str> {
    results
        .into_iter()
        .flat_map(|results| &results.outcomes)
        .find_map(|outcome| outcome.error.as_deref())
}

/// Notes on what went wrong, for one row of a table; `place` says which of the target's.
fn complaint(title: &str, place: &str, error: Option<&str>) -> Option<Note> {
    error.map(|error| Note::of(title, &format!("{place}: the first error was “{error}”")))
}
