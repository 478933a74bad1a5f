//! Closed loop: calls a second, what they cost, and the memory that stays.

use std::time::Duration;

use super::told::Told;
use super::{complaint, errors, first_error, latencies};
use crate::driver::{Bench, Schedule, Stand, calls};
use crate::files::Workload;
use crate::plan::{Pace, Results};
use crate::report::{Table, figure, megabytes, millis, percent};
use crate::stats::Sample;

/// Distinct bodies, repeated in turn.
const BODIES: u64 = 256;

pub(super) async fn run(
    bench: &Bench,
    workload: &Workload,
    connections: usize,
    warmup: usize,
    count: usize,
    rounds: usize,
) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new([
        "target",
        "calls/s",
        "errors",
        "p50 ms",
        "p99 ms",
        "server CPU µs/call",
        "simulator CPU µs/call",
        "resident MB",
        "estimate of input off by",
    ]);
    let drawn = calls(&workload.classes, BODIES, Schedule::Rate(1), 1);
    for target in &workload.targets {
        let stand = Stand::set_up(bench, target, &workload.lane, &workload.simulator).await?;
        let before = processor(&stand)?;
        let mut results = Vec::new();
        for _ in 0..rounds {
            let pace = Pace::Closed {
                connections,
                warmup,
                count,
            };
            results.push(stand.ask(1, pace, None, drawn.clone()).await?);
        }
        let after = processor(&stand)?;
        let resident = stand
            .server
            .as_ref()
            .map(|server| server.resident_bytes())
            .transpose()?;
        let sent = (rounds * (warmup + count)) as f64;
        let each = |of: fn(&Processor) -> Duration| {
            let spent = of(&after).saturating_sub(of(&before));
            figure(Some(spent.as_secs_f64() * 1e6 / sent), 0)
        };
        let sample = latencies(&results);
        table.row([
            stand.title().to_owned(),
            figure(rate(&results), 0),
            errors(&results).to_string(),
            millis(sample.permille(500)),
            millis(sample.permille(990)),
            if stand.server.is_some() {
                each(|used| used.server)
            } else {
                "–".to_owned()
            },
            each(|used| used.simulator),
            resident.map_or_else(|| "–".to_owned(), megabytes),
            percent(Told::by(&stand).await?.estimate_error),
        ]);
        table
            .notes
            .extend(complaint(stand.title(), "", first_error(&results)));
        stand.take_down().await?;
    }
    Ok(vec![table])
}

/// The median round's calls a second.
fn rate(results: &[Results]) -> Option<f64> {
    let rates = results.iter().map(|round| {
        let answered = round
            .outcomes
            .iter()
            .filter(|outcome| outcome.error.is_none())
            .count();
        answered as f64 / (round.elapsed_us as f64 / 1e6)
    });
    Sample::of(rates).permille(500)
}

/// Processor time used so far.
struct Processor {
    server: Duration,
    simulator: Duration,
}

fn processor(stand: &Stand<'_>) -> anyhow::Result<Processor> {
    let server = stand
        .server
        .as_ref()
        .map(|server| server.usage().map(|used| used.cpu))
        .transpose()?
        .unwrap_or_default();
    Ok(Processor {
        server,
        simulator: stand.simulator.usage()?.cpu,
    })
}
