//! Targets side by side: the same calls over the same quota, whoever asks. What a burst and a trace have in common.

mod cost;
mod picture;
mod room;
mod run;
mod seen;
mod starts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::bound::{Best, Upstream};
use crate::driver::Bench;
use crate::plan::Call;
use crate::report::{Findings, Note, Table};
use room::Room;
use run::{Run, run};

/// The priorities, in the order of columns and rows.
const PRIORITIES: [&str; 3] = ["interactive", "normal", "batch"];

/// One thing to be measured, with one seed.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// The calls, in order of their times.
    pub(super) calls: Vec<Call>,
    /// Settings of the simulator.
    pub(super) simulator: Value,
    /// Values for the target's files.
    pub(super) lane: BTreeMap<String, toml::Value>,
}

/// Rounds that are told in one row for each target.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// What tells it from others.
    pub(super) name: String,
    /// Its rounds, by seed.
    pub(super) rounds: BTreeMap<u64, Arc<Round>>,
}

/// What is the same for all.
#[derive(Debug)]
pub(super) struct Contest {
    /// What the cells differ in.
    pub(super) differ_in: &'static str,
    /// The cells.
    pub(super) cells: Vec<Cell>,
    /// The seeds of a target; all where it names none.
    pub(super) seeds_of: BTreeMap<String, Vec<u64>>,
    /// Client processes.
    pub(super) processes: usize,
    /// Room for runs at once: so much may the weights of their targets add up to.
    pub(super) parallel: usize,
    /// Calls that are not answered so long after the last was due are given up.
    pub(super) patience: Duration,
    /// Seconds that are told for one second that passed.
    pub(super) scale: f64,
    /// By when an answer is wanted, by priority, in seconds that are told.
    pub(super) deadlines: BTreeMap<String, f64>,
}

/// All runs of one target in one cell.
struct Entry {
    target: String,
    cell: String,
    runs: Vec<Run>,
}

/// Runs every target in every cell, as many at once as there is room for. Where one fails, that is told, and the others
/// go on.
pub(super) async fn hold(bench: &Bench, targets: &[String], contest: &Contest) -> anyhow::Result<Findings> {
    let mut notes = Vec::new();
    let mut installed = Vec::new();
    for name in targets {
        let target = bench.target(name)?;
        notes.extend(
            target
                .remarks
                .iter()
                .map(|remark| Note::of(&target.title, &format!(": {remark}"))),
        );
        match bench.install(name).await {
            Ok(()) => installed.push((name, target)),
            Err(error) => notes.push(Note::of(&target.title, &format!(": left out: {error:#}"))),
        }
    }
    let room = Room::new(contest.parallel);
    let all = installed
        .iter()
        .map(|(name, target)| rounds(bench, name, target.weight, contest, &room));
    let mut entries = Vec::new();
    for ((_, target), by_cell) in installed.iter().zip(join_all(all).await) {
        for (cell, runs) in contest.cells.iter().zip(by_cell) {
            let (runs, failed): (Vec<_>, Vec<_>) = runs.into_iter().partition(Result::is_ok);
            let failed = failed.into_iter().filter_map(Result::err);
            notes.extend(failed.map(|error| {
                let told = format!(", {}: a run failed: {error:#}", cell.name);
                Note::of(&target.title, &told)
            }));
            entries.push(Entry {
                target: target.title.clone(),
                cell: cell.name.clone(),
                runs: runs.into_iter().filter_map(Result::ok).collect(),
            });
        }
    }
    told(contest, &entries, notes)
}

/// The runs of one target, cell by cell.
async fn rounds(
    bench: &Bench,
    target: &str,
    weight: usize,
    contest: &Contest,
    room: &Room,
) -> Vec<Vec<anyhow::Result<Run>>> {
    let seeds = contest.seeds_of.get(target);
    let wanted = |seed: &u64| seeds.is_none_or(|seeds| seeds.contains(seed));
    join_all(contest.cells.iter().map(|cell| {
        let rounds = cell.rounds.iter().filter(|(seed, _)| wanted(seed));
        join_all(rounds.map(|(_, round)| async {
            let _turn = room.turn(weight).await?;
            run(bench, target, contest, round).await
        }))
    }))
    .await
}

fn told(contest: &Contest, entries: &[Entry], notes: Vec<Note>) -> anyhow::Result<Findings> {
    let bounds = contest
        .cells
        .iter()
        .map(|cell| Ok((cell, bests(cell)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut seen = seen::table(contest, entries, &bounds);
    let cost = cost::table(contest, entries)?;
    seen.notes.extend(complaints(entries));
    let mut remarks = Table::notes_only(notes);
    remarks.notes.extend(estimates(entries));
    remarks.notes.extend(reruns(entries));
    let mut tables = vec![seen, cost];
    tables.extend(starts::table(contest, entries));
    tables.push(remarks);
    Ok(Findings {
        tables,
        plots: vec![picture::plot(contest, entries)],
    })
}

/// A cell's rounds, each with its bound, and with how it goes where nothing but the order of arrival counts.
type Bounds = Vec<(Arc<Round>, Best, Best)>;

/// The bounds of each round of a cell.
fn bests(cell: &Cell) -> anyhow::Result<Bounds> {
    cell.rounds
        .values()
        .map(|round| {
            let upstream = Upstream::new(&round.simulator)?;
            let first_come = upstream.first_come(&round.calls);
            Ok((Arc::clone(round), upstream.best(&round.calls), first_come))
        })
        .collect()
}

fn complaints(entries: &[Entry]) -> Vec<Note> {
    entries
        .iter()
        .filter_map(|entry| {
            let results = entry.runs.iter().map(|run| &run.results);
            super::complaint(
                &entry.target,
                &format!(", {}", entry.cell),
                super::first_error(results),
            )
        })
        .collect()
}

/// How good a target's estimates of its calls' inputs were, where it tells.
fn estimates(entries: &[Entry]) -> Vec<Note> {
    let mut of: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for entry in entries {
        let errors = entry.runs.iter().filter_map(|run| run.told.estimate_error);
        of.entry(&entry.target).or_default().extend(errors);
    }
    of.into_iter()
        .filter_map(|(target, errors)| {
            let mean = crate::stats::Sample::of(errors).mean()?;
            let off = crate::report::percent(Some(mean));
            Some(Note::of(
                target,
                &format!(": its estimate of a call's input was off by {off} on average."),
            ))
        })
        .collect()
}

/// How many answers right-sizing has cut short, so that they were made again.
fn reruns(entries: &[Entry]) -> Vec<Note> {
    let of = |entry: &Entry| {
        let right_sized: f64 = entry.runs.iter().map(|run| run.told.right_sized).sum();
        let reruns: f64 = entry.runs.iter().map(|run| run.told.reruns).sum();
        (right_sized > 0.0).then(|| {
            let share = crate::report::percent(Some(reruns / right_sized));
            let told = format!(
                ", {}: {reruns} of {right_sized} right-sized answers ({share}) were cut short and made again.",
                entry.cell
            );
            Note::of(&entry.target, &told)
        })
    };
    entries.iter().filter_map(of).collect()
}
