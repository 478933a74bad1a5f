//! Open loop at a fixed rate: added latency, and of streams the added time of each event.

use std::collections::BTreeMap;

use super::{complaint, errors, first_error, latencies};
use crate::driver::{Bench, Schedule, Stand, calls};
use crate::files::Workload;
use crate::plan::{Pace, Results};
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
            Stand::set_up(bench, target, workload, &workload.simulator).await?,
            Vec::new(),
        ));
    }
    // The first round warms connections, caches and allocators and is not counted.
    for round in 0..=rounds {
        for (stand, results) in &mut stands {
            let seconds = if round == 0 { 2 } else { seconds };
            let drawn = calls(&workload.classes, rate * seconds, Schedule::Rate(rate), round);
            let found = stand.ask(1, Pace::Open, drawn).await?;
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
        table.notes.extend(complaint(title, first_error(results)));
    }
    table
}

fn difference(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(ours? - theirs?)
}

/// Times of the events of all streams: the first, those between, the last.
struct Streams {
    first: Sample,
    between: Sample,
    last: Sample,
}

fn events(rows: &[(String, Vec<Results>)]) -> Table {
    let mut table = Table::new([
        "target",
        "streams",
        "errors",
        "first event added p50 ms",
        "events between added p50 ms",
        "added p99 ms",
        "last event added p50 ms",
    ]);
    let usual = rows
        .first()
        .map(|(_, results)| medians(results))
        .unwrap_or_default();
    for (title, results) in rows {
        let late = lateness(results, &usual);
        table.row([
            title.clone(),
            results
                .iter()
                .map(|results| results.outcomes.len())
                .sum::<usize>()
                .to_string(),
            errors(results).to_string(),
            millis(late.first.permille(500)),
            millis(late.between.permille(500)),
            millis(late.between.permille(990)),
            millis(late.last.permille(500)),
        ]);
        table.notes.extend(complaint(title, first_error(results)));
    }
    table
}

/// The median time of each event by its number, in milliseconds.
fn medians(results: &[Results]) -> Vec<f64> {
    let mut by_number: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for outcome in results.iter().flat_map(|results| &results.outcomes) {
        for (number, at) in outcome.events_us.iter().enumerate() {
            by_number.entry(number).or_default().push(*at as f64 / 1e3);
        }
    }
    by_number
        .into_values()
        .filter_map(|times| Sample::of(times).permille(500))
        .collect()
}

/// How much later than usual events came. Every stream of a workload has the same number of events.
fn lateness(results: &[Results], usual: &[f64]) -> Streams {
    let of = |wanted: &dyn Fn(usize) -> bool| {
        Sample::of(
            results
                .iter()
                .flat_map(|results| &results.outcomes)
                .flat_map(|outcome| {
                    let late = outcome.events_us.iter().zip(usual).enumerate();
                    late.filter(|(number, _)| wanted(*number))
                        .map(|(_, (at, usual))| *at as f64 / 1e3 - usual)
                }),
        )
    };
    let end = usual.len().saturating_sub(1);
    Streams {
        first: of(&|number| number == 0),
        between: of(&|number| number > 0 && number < end),
        last: of(&|number| number == end),
    }
}
