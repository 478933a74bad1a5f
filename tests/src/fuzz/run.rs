//! A campaign: the corpus as it is, then mutations of it, until its budget is spent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::guard::{Bounds, Guard, Memory};
use super::shrink::shrink;
use super::{Fault, Kind, Target, Verdict, corpus};

/// Memory is measured over so many cases at once, and over each alone only where they took too much.
const MEASURED_TOGETHER: usize = 64;
/// Different faults of one target that a campaign goes on for, unless it was told otherwise.
const MOST_FINDINGS: usize = 8;
/// A mutation is mutated again with a chance of three in five.
const AGAIN: f64 = 0.6;
/// Longer inputs are cut: the body's own limit has its own tests.
const LONGEST_INPUT: usize = 1 << 20;

/// How long a campaign goes on after the corpus.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// So many mutated cases.
    Cases(u64),
    /// So long.
    Time(Duration),
    /// Whichever is over first: a machine that is busy does less.
    Both(u64, Duration),
}

impl Budget {
    fn lasts(self, cases: u64, begun: Instant) -> bool {
        match self {
            Self::Cases(most) => cases < most,
            Self::Time(most) => begun.elapsed() < most,
            Self::Both(most, longest) => cases < most && begun.elapsed() < longest,
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The source of all chance.
    pub seed: u64,
    /// How long.
    pub budget: Budget,
    /// The corpus.
    pub home: PathBuf,
    /// Whether what is found is kept in the corpus.
    pub keep: bool,
    /// What one input may take.
    pub bounds: Bounds,
}

/// An input that breaks a property.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which property, and how.
    pub fault: Fault,
    /// The input, shrunk.
    pub input: Vec<u8>,
    /// Where it is kept.
    pub kept: Option<PathBuf>,
}

/// What a campaign has shown.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The target.
    pub target: &'static str,
    /// The seed that repeats it.
    pub seed: u64,
    /// Inputs of the corpus.
    pub kept: u64,
    /// Inputs that were fed, those of the corpus included.
    pub cases: u64,
    /// Of these, what was taken.
    pub accepted: u64,
    /// What was refused.
    pub refused: u64,
    /// How long the slowest took.
    pub slowest: Duration,
    /// How long all took.
    pub took: Duration,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// The findings, for a failing test to show.
    pub fn shown(&self) -> String {
        let one = |finding: &Finding| {
            let input: String = String::from_utf8_lossy(&finding.input)
                .chars()
                .take(400)
                .collect();
            format!("{} ({:?})\n  input {input:?}\n", finding.fault, finding.kept)
        };
        let all: String = self.findings.iter().map(one).collect();
        format!(
            "{} (seed {}): {} findings\n{all}",
            self.target,
            self.seed,
            self.findings.len()
        )
    }
}

impl Campaign {
    /// Runs it against one target.
    ///
    /// # Errors
    /// The corpus cannot be read or written.
    pub async fn run(&self, target: Arc<dyn Target>) -> anyhow::Result<Outcome> {
        self.run_for(target, MOST_FINDINGS).await
    }

    /// Runs it until the first finding.
    ///
    /// # Errors
    /// The corpus cannot be read or written.
    pub async fn run_until_found(&self, target: Arc<dyn Target>) -> anyhow::Result<Outcome> {
        self.run_for(target, 1).await
    }

    async fn run_for(&self, target: Arc<dyn Target>, most: usize) -> anyhow::Result<Outcome> {
        let guard = Guard::take(self.bounds).await;
        let name = target.name();
        let entries = corpus::read(&self.home, name).with_context(|| format!("no corpus of {name}"))?;
        anyhow::ensure!(!entries.is_empty(), "the corpus of {name} is empty");
        let inputs: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.input).collect();
        let mut running = Running::new(self, &guard, target, inputs.len(), most);
        for batch in inputs.chunks(MEASURED_TOGETHER) {
            running.batch(batch.iter().cloned()).await?;
        }
        let mut chance = StdRng::seed_from_u64(self.seed);
        let target = Arc::clone(&running.target);
        while running.goes_on() {
            let made = std::iter::repeat_with(|| mutated(&*target, &mut chance, &inputs));
            running.batch(made.take(MEASURED_TOGETHER)).await?;
        }
        running.outcome.took = running.begun.elapsed();
        Ok(running.outcome)
    }
}

fn mutated(target: &dyn Target, chance: &mut StdRng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let pick = |chance: &mut StdRng| inputs.choose(chance).cloned().unwrap_or_default();
    let mut input = pick(chance);
    let other = pick(chance);
    loop {
        target.mutate(chance, &mut input, &other);
        input.truncate(LONGEST_INPUT);
        if !chance.random_bool(AGAIN) {
            return input;
        }
    }
}

struct Running<'a> {
    campaign: &'a Campaign,
    guard: &'a Guard,
    target: Arc<dyn Target>,
    begun: Instant,
    corpus: u64,
    most: usize,
    seen: BTreeSet<(Kind, String)>,
    outcome: Outcome,
}

impl<'a> Running<'a> {
    fn new(
        campaign: &'a Campaign,
        guard: &'a Guard,
        target: Arc<dyn Target>,
        corpus: usize,
        most: usize,
    ) -> Self {
        let outcome = Outcome {
            target: target.name(),
            seed: campaign.seed,
            kept: corpus as u64,
            cases: 0,
            accepted: 0,
            refused: 0,
            slowest: Duration::ZERO,
            took: Duration::ZERO,
            findings: Vec::new(),
        };
        Self {
            campaign,
            guard,
            target,
            begun: Instant::now(),
            corpus: corpus as u64,
            most,
            seen: BTreeSet::new(),
            outcome,
        }
    }

    fn goes_on(&self) -> bool {
        // What hangs goes on spinning beside everything that comes after it.
        let hung = self
            .outcome
            .findings
            .iter()
            .any(|found| found.fault.kind == Kind::Hang);
        let cases = self.outcome.cases.saturating_sub(self.corpus);
        !hung && self.outcome.findings.len() < self.most && self.campaign.budget.lasts(cases, self.begun)
    }

    async fn batch(&mut self, inputs: impl Iterator<Item = Vec<u8>>) -> anyhow::Result<()> {
        let bounds = self.campaign.bounds;
        let memory = Memory::begin();
        let mut fed = Vec::new();
        for input in inputs {
            self.case(&input).await?;
            fed.push(input);
            // The corpus is always fed to its end, unless something was found in it.
            let corpus = self.outcome.cases <= self.corpus && self.outcome.findings.is_empty();
            if !corpus && !self.goes_on() {
                break;
            }
        }
        match memory.and_then(|memory| memory.judge(bounds)) {
            Some(fault) => self.too_much(fault, &fed).await,
            None => Ok(()),
        }
    }

    async fn case(&mut self, input: &[u8]) -> anyhow::Result<()> {
        let begun = Instant::now();
        let fed = self.guard.feed(&self.target, input).await;
        self.outcome.slowest = self.outcome.slowest.max(begun.elapsed());
        self.outcome.cases += 1;
        match fed {
            Ok(Verdict::Accepted) => self.outcome.accepted += 1,
            Ok(Verdict::Refused) => self.outcome.refused += 1,
            Ok(Verdict::Skipped) => {}
            Err(fault) => self.found(fault, input.to_vec()).await?,
        }
        Ok(())
    }

    /// Finds out which input of a batch it was that took too much memory.
    async fn too_much(&mut self, fault: Fault, inputs: &[Vec<u8>]) -> anyhow::Result<()> {
        let bounds = self.campaign.bounds;
        for input in inputs {
            let memory = Memory::begin();
            // What it answers was judged before.
            drop(self.guard.feed(&self.target, input).await);
            if let Some(alone) = memory.and_then(|memory| memory.judge(bounds)) {
                return self.note(alone, input.clone());
            }
        }
        let longest = inputs.iter().max_by_key(|input| input.len()).cloned();
        self.note(fault, longest.unwrap_or_default())
    }

    async fn found(&mut self, fault: Fault, input: Vec<u8>) -> anyhow::Result<()> {
        if !self.seen.insert((fault.kind, alike(&fault))) {
            return Ok(());
        }
        // Each try of a case without end would take as long.
        if fault.kind == Kind::Hang {
            return self.note(fault, input);
        }
        let (guard, target, wanted) = (self.guard, &self.target, (fault.kind, alike(&fault)));
        let wanted = &wanted;
        let small = shrink(input, |input| async move {
            matches!(guard.feed(target, &input).await, Err(other) if (other.kind, alike(&other)) == *wanted)
        })
        .await;
        let fault = self.guard.feed(&self.target, &small).await.err().unwrap_or(fault);
        self.note(fault, small)
    }

    fn note(&mut self, fault: Fault, input: Vec<u8>) -> anyhow::Result<()> {
        let kept = if self.campaign.keep {
            Some(corpus::keep(self.home(), self.target.name(), fault.kind, &input)?)
        } else {
            None
        };
        self.outcome.findings.push(Finding { fault, input, kept });
        Ok(())
    }

    fn home(&self) -> &Path {
        &self.campaign.home
    }
}

/// Faults with the same beginning are taken for one: what differs is mostly a number or a quotation.
fn alike(fault: &Fault) -> String {
    let words = fault.what.chars().filter(|c| !c.is_ascii_digit());
    words.take(24).collect()
}
