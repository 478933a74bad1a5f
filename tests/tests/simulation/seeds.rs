//! Many seeds, on two threads.

use super::run::{Verdict, run};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS: usize = 2;

/// What many runs amounted to.
#[derive(Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub counts: BTreeMap<&'static str, u64>,
    pub failed: Vec<Verdict>,
}

/// Runs every seed; stops early after a few that failed.
pub fn run_all(seeds: Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicU64::new(0);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failed.load(Ordering::Relaxed) >= 5 {
                return tally;
            }
            let verdict = run(seed, None);
            tally.runs += 1;
            for (what, count) in &verdict.counts {
                *tally.counts.entry(what).or_insert(0) += count;
            }
            if !verdict.faults.is_empty() {
                failed.fetch_add(1, Ordering::Relaxed);
                tally.failed.push(verdict);
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold(Tally::default(), Tally::plus)
    })
}

impl Tally {
    fn plus(mut self, other: Self) -> Self {
        self.runs += other.runs;
        for (what, count) in other.counts {
            *self.counts.entry(what).or_insert(0) += count;
        }
        self.failed.extend(other.failed);
        self
    }

    /// What a person reads who has to find the cause.
    pub fn report(&self) -> String {
        let mut text = format!("{} of {} seeds failed\n", self.failed.len(), self.runs);
        for verdict in &self.failed {
            let seed = verdict.seed;
            text += &format!(
                "\nseed {seed}: SIMULATION_SEED={seed} cargo test -p smoother-tests --test simulation one_seed\n"
            );
            text += &verdict.history();
            text += &format!("\nfaults of seed {seed}:\n  {}\n", verdict.faults.join("\n  "));
        }
        text
    }
}
