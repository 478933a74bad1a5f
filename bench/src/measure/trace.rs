//! Recorded traces, as fast as they were or faster, over a quota that their mean demand nearly uses up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::contest::{Cell, Contest, Round, hold};
use super::settings::under;
use crate::driver::{Bench, replay};
use crate::files::{Trace, TraceRun, Workload};
use crate::report::{Findings, Note};
use crate::trace::{Row, read};

/// Tokens of quota that one output token costs; the lanes of all targets say the same.
const BURNDOWN: u64 = 5;

pub(super) async fn run(bench: &Bench, workload: &Workload, trace: &Trace) -> anyhow::Result<Findings> {
    let folder: &Path = bench.traces.as_deref().context("no folder of traces is named")?;
    let rows = read(&folder.join(&trace.file), trace.minutes)?;
    let contest = contest(workload, trace, &rows)?;
    let mut findings = hold(bench, &workload.targets, &contest).await?;
    if let Some(table) = findings.tables.first_mut() {
        table.notes.insert(0, Note::of_all(setting(trace, &rows)));
    }
    Ok(findings)
}

fn contest(workload: &Workload, trace: &Trace, rows: &[Row]) -> anyhow::Result<Contest> {
    let cells = runs(trace)
        .into_iter()
        .map(|run| cell(workload, trace, rows, run))
        .collect::<anyhow::Result<_>>()?;
    let deadlines = trace
        .priorities
        .iter()
        .map(|priority| (priority.name.clone(), priority.deadline_seconds as f64));
    Ok(Contest {
        differ_in: "max_tokens, other clients",
        cells,
        seeds_of: BTreeMap::new(),
        processes: trace.processes,
        parallel: trace.parallel,
        patience: Duration::from_secs(trace.patience_seconds),
        scale: trace.speed as f64,
        deadlines: deadlines.collect(),
    })
}

/// Every max_tokens with every share of other clients, and what there is beside.
fn runs(trace: &Trace) -> Vec<TraceRun> {
    let with = |max_tokens: u64| {
        trace.other_clients.iter().map(move |other| TraceRun {
            max_tokens,
            load: trace.load,
            other_clients: *other,
        })
    };
    let all = trace.max_tokens.iter().flat_map(|max_tokens| with(*max_tokens));
    all.chain(trace.more.iter().copied()).collect()
}

fn cell(workload: &Workload, trace: &Trace, rows: &[Row], run: TraceRun) -> anyhow::Result<Cell> {
    let TraceRun {
        max_tokens,
        load,
        other_clients: other,
    } = run;
    let quota = quota(trace, rows, load, other);
    let mut simulator = under(&workload.simulator, &trace.limiter, trace.seed);
    simulator["quota"]["tokens_per_minute"] = quota.into();
    simulator["external_load"] = other.into();
    simulator["output_burndown"] = BURNDOWN.into();
    for time in ["base_ms", "per_token_ms"] {
        let value = &mut simulator["latency"][time];
        let slow = value
            .as_f64()
            .with_context(|| format!("the simulator needs latency.{time}"))?;
        *value = json!(slow / trace.speed as f64);
    }
    let mut lane = workload.lane.clone();
    lane.insert(
        "tokens_per_minute".to_owned(),
        toml::Value::Integer(i64::try_from(quota)?),
    );
    let mut name = if other > 0.0 {
        format!("{max_tokens}, {:.0} % taken", other * 100.0)
    } else {
        format!("{max_tokens}, none")
    };
    if load.to_bits() != trace.load.to_bits() {
        name += &format!(", load {load}");
    }
    let round = Round {
        calls: replay(trace, rows, max_tokens),
        simulator,
        lane,
    };
    Ok(Cell {
        name,
        rounds: BTreeMap::from([(trace.seed, Arc::new(round))]),
    })
}

/// Tokens per minute, in the run's time: what is left beside the other clients is the mean demand ÷ `load`.
#[allow(clippy::cast_possible_truncation)] // A number of tokens a minute.
fn quota(trace: &Trace, rows: &[Row], load: f64, other: f64) -> u64 {
    (demand(trace, rows) * trace.speed as f64 / load / (1.0 - other)).round() as u64
}

/// Mean demand in tokens a minute of the trace's time.
fn demand(trace: &Trace, rows: &[Row]) -> f64 {
    let tokens: u64 = rows
        .iter()
        .map(|row| row.input_tokens + BURNDOWN * row.output_tokens)
        .sum();
    tokens as f64 / trace.minutes.max(1) as f64
}

fn setting(trace: &Trace, rows: &[Row]) -> String {
    let minutes = trace.minutes;
    let of = format!(
        "{} calls of {minutes} minutes, mean demand {:.0} tokens a minute",
        rows.len(),
        demand(trace, rows)
    );
    match trace.speed {
        0 | 1 => format!("{of}, as fast as they were recorded."),
        speed => {
            let seconds = minutes as f64 * 60.0 / speed as f64;
            format!(
                "{of}, {speed} times as fast: {seconds:.0} s. All waits are told in the trace's time, {speed} times what passed."
            )
        }
    }
}
