//! An upstream that gets worse and well again: what callers see of it, and what it sees of them.

mod phases;
mod recovery;
mod watch;

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use serde_json::Value;

use super::{complaint, errors, first_error};
use crate::driver::{Bench, Schedule, Stand, calls};
use crate::files::{Phase, Workload};
use crate::plan::{Outcome, Pace, Results};
use crate::report::{Note, Table, figure, percent};
use crate::stats::Sample;
use phases::{Timed, script, timed};
use watch::{Moment, Watch};

pub(super) async fn run(
    bench: &Bench,
    workload: &Workload,
    calls_per_minute: u64,
    speed: u64,
    phases: &[Phase],
) -> anyhow::Result<Vec<Table>> {
    let script = Bytes::from(script(phases, speed).to_string());
    let times = timed(phases, speed);
    let end_ms = times
        .last()
        .context("a degrading upstream needs phases")?
        .until_ms;
    let mut tables = Vec::new();
    let mut totals = Totals::table();
    for target in &workload.targets {
        let stand = Stand::set_up(bench, target, &workload.lane, &workload.simulator).await?;
        let schedule = Schedule::Every(60_000_000 / calls_per_minute.max(1));
        let drawn = calls(&workload.classes, calls_per_minute * end_ms / 60_000, schedule, 1);
        let mut watch = Watch::default();
        let results = tokio::select! {
            results = stand.ask(1, Pace::Open, None, drawn) => results?,
            failed = watch.keep(&stand, &script) => match failed? {},
        };
        // What is still under way upstream counts too.
        watch.look(&stand).await?;
        let hops = hops(&stand).await?;
        let title = stand.title().to_owned();
        stand.take_down().await?;
        let mut table = by_phase(&times, &results, &watch.moments);
        table.notes.extend(complaint(&title, "", first_error([&results])));
        tables.push(table);
        totals.row(Totals::row(title, &times, &results, &watch.moments, &hops));
    }
    totals.notes.push(Note::of_all(
        "Normal again: the end of a phase's last second in which the p95 of interactive calls was above twice the \
         first phase's p99, or one failed; here the slowest of the phases after the first in which nothing is wrong \
         upstream. Repeated after a failure: calls upstream less requests less refusals for quota or connections."
            .to_owned(),
    ));
    tables.push(totals);
    Ok(tables)
}

fn by_phase(times: &[Timed], results: &Results, moments: &[Moment]) -> Table {
    let mut table = Table::new([
        "phase",
        "s",
        "calls",
        "callers' errors",
        "interactive p50 / p99 / max s",
        "others p50 / p99 / max s",
        "calls upstream per request",
        "most waiting",
        "breaker openings",
        "normal again after s",
        "queue empty after s",
    ]);
    let usual = times
        .first()
        .map_or(0.0, |calm| recovery::usual(calm.outcomes(results)));
    for phase in times {
        let all: Vec<&Outcome> = phase.outcomes(results).collect();
        let (first, last) = watch::around(moments, phase.from_ms, phase.until_ms);
        let of = |interactive: bool| {
            let those = all
                .iter()
                .filter(|one| (one.class == "interactive") == interactive);
            Sample::of(those.map(|one| one.latency_us as f64 / 1e6))
        };
        table.row([
            phase.name.clone(),
            figure(Some((phase.until_ms - phase.from_ms) as f64 / 1e3), 0),
            all.len().to_string(),
            all.iter().filter(|one| one.error.is_some()).count().to_string(),
            three(&of(true)),
            three(&of(false)),
            figure(
                Some((last.calls - first.calls) as f64 / all.len().max(1) as f64),
                2,
            ),
            watch::within(moments, phase.from_ms, phase.until_ms)
                .map(|moment| moment.waiting)
                .max()
                .unwrap_or_default()
                .to_string(),
            (last.opened - first.opened).to_string(),
            after(recovery::normal_again(phase.outcomes(results), phase, usual), 0),
            after(watch::emptied(moments, phase.from_ms, phase.until_ms), 1),
        ]);
    }
    table
}

/// Seconds after a phase's beginning.
fn after(seconds: Option<f64>, digits: usize) -> String {
    seconds.map_or_else(
        || "not in this time".to_owned(),
        |seconds| figure(Some(seconds), digits),
    )
}

/// The slowest of what each phase took; none where one never got there.
fn slowest(each: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    each.reduce(|one, other| Some(one?.max(other?))).flatten()
}

fn three(sample: &Sample) -> String {
    [500, 990, 1000]
        .map(|permille| figure(sample.permille(permille), 2))
        .join(" / ")
}

struct Totals;

impl Totals {
    fn table() -> Table {
        Table::new([
            "target",
            "calls",
            "callers' errors",
            "degraded answers",
            "calls upstream per request",
            "repeated after a failure, of calls",
            "refused for quota or connections",
            "hops",
            "breaker openings",
            "normal again after s",
            "queue empty after s",
        ])
    }

    fn row(
        title: String,
        times: &[Timed],
        results: &Results,
        moments: &[Moment],
        hops: &BTreeMap<String, u64>,
    ) -> [String; 11] {
        let requests = results.outcomes.len();
        let end = moments.last().cloned().unwrap_or_default();
        let repeated = end.calls.saturating_sub(requests as u64 + end.refused);
        let share = |part: u64, whole: u64| percent(Some(part as f64 / whole.max(1) as f64));
        let failed = errors([results]);
        let degraded = results.outcomes.iter().filter(|one| one.degraded).count();
        let usual = recovery::usual(times[0].outcomes(results));
        let well = || times.iter().skip(1).filter(|phase| phase.well);
        let named: Vec<String> = hops.iter().map(|(cause, n)| format!("{n} {cause}")).collect();
        [
            title,
            requests.to_string(),
            format!(
                "{failed} ({:.3} %)",
                failed as f64 * 100.0 / requests.max(1) as f64
            ),
            degraded.to_string(),
            figure(Some(end.calls as f64 / requests.max(1) as f64), 3),
            format!("{repeated} ({})", share(repeated, end.calls)),
            end.refused.to_string(),
            if named.is_empty() {
                "0".to_owned()
            } else {
                named.join(", ")
            },
            end.opened.to_string(),
            after(
                slowest(well().map(|phase| recovery::normal_again(phase.outcomes(results), phase, usual))),
                0,
            ),
            after(
                slowest(well().map(|phase| watch::emptied(moments, phase.from_ms, phase.until_ms))),
                1,
            ),
        ]
    }
}

/// How many requests left a lane, by cause, as the target's list of jobs tells; none where it has no such list.
async fn hops(stand: &Stand<'_>) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let Some(server) = &stand.server else {
        return Ok(found);
    };
    let mut cursor = String::new();
    loop {
        let page = server.json(&format!("/v1/jobs?limit=1000{cursor}")).await?;
        let jobs = page["jobs"].as_array().context("a list without jobs")?;
        for hop in jobs.iter().filter_map(|job| job["hops"].as_array()).flatten() {
            *found
                .entry(hop["cause"].as_str().unwrap_or("?").to_owned())
                .or_default() += 1;
        }
        match page["next_cursor"].as_str().filter(|_| !jobs.is_empty()) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

/// The whole number at `pointer`; 0 where there is none.
fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}
