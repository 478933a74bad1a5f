//! What it took: calls upstream, refusals, how much of the quota was used, processor time and memory.

use anyhow::Context;
use serde_json::Value;

use super::room::Span;
use super::run::Run;
use super::{Contest, Entry};
use crate::report::{Note, Table, figure, megabytes, percent};
use crate::stats::Sample;

pub(super) fn table(contest: &Contest, entries: &[Entry]) -> anyhow::Result<Table> {
    let mut table = Table::new([
        "target",
        contest.differ_in,
        "calls upstream per call",
        "429s upstream (per call)",
        "utilisation (worst run)",
        "its bound",
        "busy s (bound)",
        "processor s per 1,000 calls",
        "peak memory MB",
        "processors busy (runs at once)",
    ])
    .grouped();
    let spans: Vec<Span> = runs_of(entries).map(|run| run.span).collect();
    for cell in &contest.cells {
        for entry in entries.iter().filter(|entry| entry.cell == cell.name) {
            table.row(row(entry, contest.scale, &spans)?);
        }
    }
    table.notes.push(Note::of_all(format!(
        "Runs share the machine: as many went on at once as their targets' weights allow ({} in all). The last column \
         tells how busy they kept its processors, together and with whatever else ran on it.",
        contest.parallel
    )));
    Ok(table)
}

fn runs_of(entries: &[Entry]) -> impl Iterator<Item = &Run> {
    entries.iter().flat_map(|entry| &entry.runs)
}

fn row(entry: &Entry, scale: f64, spans: &[Span]) -> anyhow::Result<[String; 10]> {
    let runs = &entry.runs;
    let calls = runs.iter().map(|run| run.fates.len()).sum::<usize>().max(1) as f64;
    let throttled: u64 = runs.iter().map(throttled).sum();
    let upstream = figures(runs, "/calls")?;
    let used = figures(runs, "/utilisation/binding")?;
    let used = Sample::of(used.into_iter().zip(runs).map(|(used, run)| used / run.left));
    let bound = Sample::of(runs.iter().map(|run| run.best.utilisation / run.left));
    let busy = Sample::of(figures(runs, "/busy/busy_ms")?).mean();
    let least = Sample::of(runs.iter().map(|run| run.best.busy_s)).mean();
    let usages = || runs.iter().filter_map(|run| run.usage);
    let measured = usages().next().is_some();
    let cpu: f64 = usages().map(|usage| usage.cpu.as_secs_f64()).sum();
    let peak = usages().map(|usage| usage.peak_bytes).max();
    Ok([
        entry.target.clone(),
        entry.cell.clone(),
        figure(
            (!runs.is_empty()).then(|| upstream.iter().sum::<f64>() / calls),
            2,
        ),
        if runs.is_empty() {
            "–".to_owned()
        } else {
            format!("{throttled} ({})", percent(Some(throttled as f64 / calls)))
        },
        format!(
            "{} ({})",
            percent(used.mean()),
            percent(used.range().map(|(worst, _)| worst))
        ),
        percent(bound.mean()),
        format!(
            "{} ({})",
            figure(busy.map(|busy| busy / 1e3 * scale), 0),
            figure(least.map(|busy| busy * scale), 0)
        ),
        figure(measured.then_some(cpu * 1e3 / calls), 2),
        peak.map_or_else(|| "–".to_owned(), megabytes),
        shared(runs, spans),
    ])
}

/// How busy the processors were during these runs, and how many went on at once.
fn shared(runs: &[Run], spans: &[Span]) -> String {
    let busy = Sample::of(runs.iter().filter_map(|run| run.processors)).mean();
    let at_once = Sample::of(runs.iter().map(|run| run.span.at_once(spans))).mean();
    format!("{} ({})", percent(busy), figure(at_once, 1))
}

fn figures(runs: &[Run], pointer: &str) -> anyhow::Result<Vec<f64>> {
    let of = |run: &Run| run.stats.pointer(pointer).and_then(Value::as_f64);
    runs.iter()
        // Nothing was admitted where a statistic of admitted calls is null.
        .map(|run| {
            run.stats
                .pointer(pointer)
                .context("missing")
                .map(|_| of(run).unwrap_or_default())
        })
        .collect::<anyhow::Result<_>>()
        .with_context(|| format!("the simulator's statistics have no {pointer}"))
}

/// Refusals for the quota.
pub(super) fn throttled(run: &Run) -> u64 {
    let causes = run.stats.get("throttled").and_then(Value::as_object);
    causes
        .into_iter()
        .flatten()
        .filter_map(|(_, count)| count.as_u64())
        .sum()
}
