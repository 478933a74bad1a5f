//! Bursts over a quota: does every call get its answer, how much of the quota is used, who waits how long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::contest::{Cell, Contest, Round, hold};
use super::settings::under;
use crate::driver::{Bench, Schedule, calls};
use crate::files::{Burst, Limiter, Workload};
use crate::report::Findings;

pub(super) async fn run(bench: &Bench, workload: &Workload, burst: &Burst) -> anyhow::Result<Findings> {
    hold(bench, &workload.targets, &contest(workload, burst)).await
}

fn contest(workload: &Workload, burst: &Burst) -> Contest {
    let seeds: BTreeSet<u64> = burst
        .seeds
        .iter()
        .chain(burst.seeds_of.values().flatten())
        .copied()
        .collect();
    let cell = |limiter: &Limiter| Cell {
        name: limiter.name.clone(),
        rounds: seeds
            .iter()
            .map(|seed| (*seed, Arc::new(round(workload, burst, limiter, *seed))))
            .collect(),
    };
    let deadlines = workload
        .classes
        .iter()
        .filter_map(|class| Some((class.name.clone(), class.deadline_seconds? as f64)));
    Contest {
        differ_in: "upstream limiter",
        cells: burst.limiters.iter().map(cell).collect(),
        seeds_of: seeds_of(workload, burst),
        processes: burst.processes,
        parallel: burst.parallel,
        patience: Duration::from_secs(burst.patience_seconds),
        scale: 1.0,
        deadlines: deadlines.collect(),
    }
}

fn seeds_of(workload: &Workload, burst: &Burst) -> BTreeMap<String, Vec<u64>> {
    let of = |target: &String| burst.seeds_of.get(target).unwrap_or(&burst.seeds).clone();
    workload
        .targets
        .iter()
        .map(|target| (target.clone(), of(target)))
        .collect()
}

fn round(workload: &Workload, burst: &Burst, limiter: &Limiter, seed: u64) -> Round {
    Round {
        calls: calls(
            &workload.classes,
            burst.calls,
            Schedule::Uniform(burst.seconds),
            seed,
        ),
        simulator: under(&workload.simulator, limiter, seed),
        lane: workload.lane.clone(),
    }
}
