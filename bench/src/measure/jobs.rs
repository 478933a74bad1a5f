//! Many waiting jobs: handing in, memory, restarts, letting out.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::Instant;

use super::{complaint, errors, first_error};
use crate::driver::{Bench, Schedule, Stand, calls, job};
use crate::files::{Measure, Workload};
use crate::plan::{Call, Pace};
use crate::report::{Table, figure, megabytes};

pub(super) async fn run(bench: &Bench, workload: &Workload) -> anyhow::Result<Vec<Table>> {
    let Measure::Jobs {
        count,
        connections,
        release_seconds,
        release_lane,
    } = &workload.measure
    else {
        bail!("not about jobs");
    };
    let mut table = Table::new([
        "target",
        "submitted/s",
        "errors",
        "resident MB",
        "stop s",
        "start s",
        "start after a crash s",
        "resident MB after",
        "let out and answered/s",
    ]);
    for target in &workload.targets {
        let mut stand = Stand::set_up(bench, target, &workload.lane, &workload.simulator).await?;
        let pace = Pace::Closed {
            connections: *connections,
            warmup: 0,
            count: *count,
        };
        let submitted = stand.ask(1, pace, None, jobs(workload, *count)).await?;
        let resident = server(&mut stand)?.resident_bytes()?;

        let (_, stop) = take(&mut stand)?.stop().await?;
        let start = stand.start().await?;
        take(&mut stand)?.crash().await?;
        let after_crash = stand.start().await?;
        let resident_after = server(&mut stand)?.resident_bytes()?;

        take(&mut stand)?.stop().await?;
        stand.lane(release_lane);
        stand.start().await?;
        let rate = release(&stand, *count, Duration::from_secs(*release_seconds)).await?;

        table.row([
            stand.title().to_owned(),
            figure(Some(*count as f64 / (submitted.elapsed_us as f64 / 1e6)), 0),
            errors([&submitted]).to_string(),
            megabytes(resident),
            figure(Some(stop.as_secs_f64()), 2),
            figure(Some(start.as_secs_f64()), 2),
            figure(Some(after_crash.as_secs_f64()), 2),
            megabytes(resident_after),
            figure(Some(rate), 0),
        ]);
        table
            .notes
            .extend(complaint(stand.title(), "", first_error([&submitted])));
        stand.take_down().await?;
    }
    Ok(vec![table])
}

fn jobs(workload: &Workload, count: usize) -> Vec<Call> {
    // A body of its own for each: equal bodies would flatter a store that compresses or shares them.
    let mut drawn = calls(&workload.classes, count as u64, Schedule::Rate(1), 1);
    for call in &mut drawn {
        call.body = job(call);
        call.path = "/v1/jobs".to_owned();
        call.prompt = String::new();
    }
    drawn
}

fn server<'s>(stand: &'s mut Stand<'_>) -> anyhow::Result<&'s crate::process::Server> {
    stand.server.as_ref().context("jobs need a target with a server")
}

fn take(stand: &mut Stand<'_>) -> anyhow::Result<crate::process::Server> {
    stand.server.take().context("jobs need a target with a server")
}

/// Answers a second at the simulator until all jobs or the time are over.
async fn release(stand: &Stand<'_>, count: usize, most: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let before = answered(stand).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (now, elapsed) = (answered(stand).await?, begun.elapsed());
        if now >= count as u64 || elapsed >= most {
            return Ok((now - before) as f64 / elapsed.as_secs_f64());
        }
    }
}

async fn answered(stand: &Stand<'_>) -> anyhow::Result<u64> {
    let stats = stand.simulator.json("/stats").await?;
    stats["answered"]
        .as_u64()
        .context("the simulator's statistics have no answered")
}
