//! Many power cuts, each at a moment of a server's life that the seed chooses.
//!
//! A life begins on the disk that the one before has left (by a power cut, a kill, or its own end), serves callers and
//! is stopped. Then the power is cut at several moments of it; after each a server without faults starts on what the
//! disk holds, and must keep every promise that was made before that moment.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::audit::{Findings, audit};
use super::image::Image;
use super::load::{Desk, Told};
use super::log::{Event, Record, records};
use super::model::{Luck, Model};
use super::server::{Place, Server, Started};
use crate::crash::driver::Programs;

/// Servers that start and are audited at a time.
const AT_ONCE: usize = 3;

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub lives: usize,
    /// Power cuts in each life.
    pub cuts: usize,
    /// Requests in each life.
    pub requests: usize,
    /// No more lives begin after this span.
    pub within: Duration,
    /// What is wrong with the disk; see `tests/disk/src/rule.rs`.
    pub rules: String,
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Outcome {
    pub lives: usize,
    pub cuts: usize,
    /// Promises held against a disk after a power cut, over all cuts.
    pub kept: usize,
    pub told: usize,
    pub operations: usize,
    /// What was wrong, each with the cut it was found after.
    pub faults: Vec<String>,
}

/// Where a run has what it needs.
pub struct Stage<'a> {
    pub programs: &'a Programs,
    pub library: &'a Path,
    pub upstream: &'a str,
}

/// A life that is over.
struct Life {
    before: Model,
    log: Vec<u8>,
    records: Vec<Record>,
    told: Vec<Told>,
    /// Told in earlier lives.
    told_before: Vec<Told>,
}

/// Carries a plan out, until its end or its first faults.
///
/// # Errors
/// A server cannot be run at all.
pub async fn run(plan: &Plan, stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let (mut outcome, begun) = (Outcome::default(), Instant::now());
    let mut next = (Model::of(&Image::default())?, Vec::new());
    while outcome.lives < plan.lives && outcome.faults.is_empty() && begun.elapsed() < plan.within {
        let seed = random.random();
        outcome.lives += 1;
        let life = match live(plan, stage, next, seed).await? {
            Ok(life) => life,
            Err(fault) => {
                outcome.faults.push(format!("life {}: {fault}", outcome.lives));
                break;
            }
        };
        outcome.told += life.told.len();
        outcome.operations += life.records.len();
        let cuts: Vec<u64> = (0..plan.cuts).map(|_| random.random()).collect();
        let mut found = futures_util::stream::iter(cuts.into_iter().map(|seed| life.cut(stage, seed)))
            .buffer_unordered(AT_ONCE);
        while let Some(found) = found.next().await {
            let (when, found) = found?;
            outcome.cuts += 1;
            outcome.kept += found.kept;
            let faults = found.broken.iter().chain(&found.reported);
            outcome
                .faults
                .extend(faults.map(|fault| format!("life {}, {when}: {fault}", outcome.lives)));
        }
        next = life.leaves(&mut random)?;
    }
    Ok(outcome)
}

/// One life on a disk that is recorded, or what went wrong in it.
async fn live(
    plan: &Plan,
    stage: &Stage<'_>,
    (before, told_before): (Model, Vec<Told>),
    seed: u64,
) -> anyhow::Result<Result<Life, String>> {
    let folder = TempDir::new()?;
    let place = Place::new(folder.path())?;
    before.live().put(&place.disk())?;
    place.rule(&plan.rules)?;
    let mut server = match Server::start(stage.programs, &place, stage.upstream, Some(stage.library)).await? {
        Started::Serves(server) => server,
        Started::Refused(said) => return Ok(Err(format!("does not start: {said}"))),
    };
    let desk = Desk::new(&server.url, &place);
    desk.load(seed, plan.requests, 12).await?;
    let status = server.stop().await?;
    if !status.success() {
        return Ok(Err(format!("ended with {status}: {}", server.said()?)));
    }
    let notes = desk.notes();
    if !notes.refused.is_empty() || notes.broken > 0 {
        return Ok(Err(format!("refused without a reason: {:?}", notes.refused)));
    }
    let log = fs::read(place.log())?;
    let records = records(&log)?;
    Ok(Ok(Life {
        before,
        log,
        records,
        told: notes.told,
        told_before,
    }))
}

impl Life {
    /// The disk's state after so many operations.
    fn at(&self, operations: usize) -> anyhow::Result<Model> {
        let mut model = self.before.clone();
        for record in &self.records[..operations] {
            model.apply(record, &self.log)?;
        }
        Ok(model)
    }

    /// What had been told by then.
    fn told_by(&self, operations: usize) -> Vec<Told> {
        let seen = operations.checked_sub(1).map_or(0, |last| self.records[last].end);
        let mut told = self.told_before.clone();
        told.extend(self.told.iter().filter(|told| told.seen <= seen).cloned());
        told
    }

    /// A moment: anywhere, or right after an operation that makes something durable or known.
    fn moment(&self, random: &mut StdRng) -> usize {
        let any = random.random_range(0..=self.records.len());
        if random.random() {
            return any;
        }
        let telling = |record: &Record| {
            matches!(
                record.event,
                Event::SyncEnds { .. } | Event::Rename { .. } | Event::Unlink { .. } | Event::Truncate { .. }
            )
        };
        let next = self.records[any..].iter().position(telling);
        next.map_or(self.records.len(), |after| any + after + 1)
    }

    /// Cuts the power, starts a server on what is left, and audits it. Says when that was.
    async fn cut(&self, stage: &Stage<'_>, seed: u64) -> anyhow::Result<(String, Findings)> {
        let mut random = StdRng::seed_from_u64(seed);
        let (moment, luck) = (self.moment(&mut random), Luck::any(&mut random));
        let image = self.at(moment)?.power_cut(&mut random, luck);
        let when = format!(
            "cut after {moment} of {} operations, {luck:?}",
            self.records.len()
        );
        let found = start_and_audit(stage, &image, &self.told_by(moment)).await?;
        Ok((when, found))
    }

    /// What the next life begins with.
    fn leaves(&self, random: &mut StdRng) -> anyhow::Result<(Model, Vec<Told>)> {
        let moment = match random.random_range(0..3) {
            0 => self.records.len(),
            _ => self.moment(random),
        };
        let model = self.at(moment)?;
        let model = match random.random() {
            // Killed: what was written is there, and what was not synced still is not.
            true => model,
            false => Model::of(&model.power_cut(random, Luck::Mixed))?,
        };
        Ok((model, self.told_by(moment)))
    }
}

/// A server on a good disk that holds this image, asked for all that was told. Its refusal to start is reported.
///
/// # Errors
/// The server cannot be run at all.
pub async fn start_and_audit(stage: &Stage<'_>, image: &Image, told: &[Told]) -> anyhow::Result<Findings> {
    let folder = TempDir::new()?;
    let place = Place::new(folder.path())?;
    image.put(&place.disk())?;
    match Server::start(stage.programs, &place, stage.upstream, None).await? {
        Started::Serves(mut server) => {
            let found = audit(&server.url, told).await;
            server.kill().await?;
            Ok(found)
        }
        Started::Refused(said) => Ok(Findings {
            reported: vec![format!("does not start: {said}")],
            ..Findings::default()
        }),
    }
}

/// The disk as a recorded server has left it, after a power cut at the end of its log that keeps nothing unsynced.
///
/// # Errors
/// The log cannot be read.
pub fn left_by(place: &Place, luck: Luck, seed: u64) -> anyhow::Result<Image> {
    let log = fs::read(place.log()).context("no log")?;
    let mut model = Model::of(&Image::default())?;
    for record in records(&log)? {
        model.apply(&record, &log)?;
    }
    Ok(model.power_cut(&mut StdRng::seed_from_u64(seed), luck))
}
