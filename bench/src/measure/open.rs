//! Open loop at a fixed rate: added latency, and of streams the added time of each event.

use std::collections::BTreeMap;

use super::{complaint, errors, first_error, latencies};
use crate::driver::{Bench, Schedule, Stand, calls};
use crate::files::Workload;
use crate::plan::{Outcome, Pace, Results};
use crate::report::{Table, millis};
use crate::stats::Sample;

/// Every target stands for the whole run; they are asked in turn.
pub(super) async fn run(
    bench: &Bench,
    workload: &Workload,
    rate: u64,
    seconds: u64,
    rounds: u64,
) -> anyhow::Result<Vec<Table>> {
    let mut stands = Vec::new();
    for target in &workload.targets {
        stands.push((
            Stand::set_up(bench, target, &workload.lane, &workload.simulator).await?,
            Vec::new(),
        ));
    }
    // The first round warms connections, caches and allocators and is not counted.
    for round in 0..=rounds {
        for (stand, results) in &mut stands {
            let seconds = if round == 0 { 2 } else { seconds };
            let drawn = calls(&workload.classes, rate * seconds, Schedule::Rate(rate), round);
            let found = stand.ask(1, Pace::Open, None, drawn).await?;
            if round > 0 {
                results.push(found);
            }
        }
    }
    let streamed = workload.classes.iter().any(|class| class.stream);
    let rows: Vec<(String, Vec<Results>)> = stands
        .iter_mut()
        .map(|(stand, results)| (stand.title().to_owned(), std::mem::take(results)))
        .collect();
    for (stand, _) in stands {
        stand.take_down().await?;
    }
    Ok(vec![if streamed { events(&rows) } else { whole(&rows) }])
}

fn whole(rows: &[(String, Vec<Results>)]) -> Table {
    let mut table = Table::new([
        "target",
        "calls",
        "errors",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "p99.9 ms",
        "added p50 ms",
        "added p99 ms",
    ]);
    let direct = rows
        .first()
        .map(|(_, results)| latencies(results))
        .unwrap_or_default();
    for (title, results) in rows {
        let sample = latencies(results);
        let added = |permille| difference(sample.permille(permille), direct.permille(permille));
        table.row([
            title.clone(),
            sample.len().to_string(),
            errors(results).to_string(),
            millis(sample.permille(500)),
            millis(sample.permille(900)),
            millis(sample.permille(990)),
            millis(sample.permille(999)),
            millis(added(500)),
            millis(added(990)),
        ]);
        table.notes.extend(complaint(title, "", first_error(results)));
    }
    table
}

fn difference(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(ours? - theirs?)
}

/// What one event is compared by.
#[derive(Clone, Copy)]
enum From {
    /// The moment its call was due.
    Due,
    /// Its call's arrival at the simulator.
    Upstream,
}

impl From {
    /// An event's time in milliseconds.
    fn time(self, outcome: &Outcome, at_us: u64) -> Option<f64> {
        let at = i64::try_from(at_us).ok()?;
        let begun = match self {
            Self::Due => 0,
            Self::Upstream => outcome.upstream_us?,
        };
        Some((at - begun) as f64 / 1e3)
    }
}

fn events(rows: &[(String, Vec<Results>)]) -> Table {
    let mut table = Table::new([
        "target",
        "streams",
        "errors",
        "first event added p50 ms",
        "passing on an event added p50 ms",
        "added p99 ms",
        "last event added p50 ms",
        "events between, since due, added p50 ms",
    ]);
    let direct = rows
        .first()
        .map(|(_, results)| results.as_slice())
        .unwrap_or_default();
    let (since_due, since_upstream) = (medians(direct, From::Due), medians(direct, From::Upstream));
    let end = since_due.len().saturating_sub(1);
    for (title, results) in rows {
        let due = |wanted: &dyn Fn(usize) -> bool| lateness(results, From::Due, &since_due, wanted);
        let between = |number: usize| number > 0 && number < end;
        let passing = lateness(results, From::Upstream, &since_upstream, &between);
        table.row([
            title.clone(),
            results
                .iter()
                .map(|results| results.outcomes.len())
                .sum::<usize>()
                .to_string(),
            errors(results).to_string(),
            millis(due(&|number| number == 0).permille(500)),
            millis(passing.permille(500)),
            millis(passing.permille(990)),
            millis(due(&|number| number == end).permille(500)),
            millis(due(&between).permille(500)),
        ]);
        table.notes.extend(complaint(title, "", first_error(results)));
    }
    table
}

/// The median time of each event by its number, in milliseconds.
fn medians(results: &[Results], from: From) -> Vec<f64> {
    let mut by_number: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for outcome in results.iter().flat_map(|results| &results.outcomes) {
        for (number, at) in outcome.events_us.iter().enumerate() {
            by_number
                .entry(number)
                .or_default()
                .extend(from.time(outcome, *at));
        }
    }
    by_number
        .into_values()
        .filter_map(|times| Sample::of(times).permille(500))
        .collect()
}

/// How much later than usual the wanted events came. Every stream of a workload has the same number of events.
fn lateness(results: &[Results], from: From, usual: &[f64], wanted: &dyn Fn(usize) -> bool) -> Sample {
    let outcomes = results.iter().flat_map(|results| &results.outcomes);
    Sample::of(outcomes.flat_map(|outcome| {
        let events = outcome.events_us.iter().zip(usual).enumerate();
        let events = events.filter(|(number, _)| wanted(*number));
        events.filter_map(move |(_, (at, usual))| Some(from.time(outcome, *at)? - usual))
    }))
}
