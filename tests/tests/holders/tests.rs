//! The tests: many seeds, one seed again, and every promise broken on purpose.

use super::broken::Broken;
use super::run::{Verdict, run};
use super::scenario::Scenario;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

/// Runs every seed; stops early after a few that failed. What all of them met, and those that failed.
fn run_all(seeds: Range<u64>) -> (BTreeMap<&'static str, u64>, Vec<Verdict>) {
    let (next, failures) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let work = || {
        let (mut counts, mut failed) = (BTreeMap::new(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failures.load(Ordering::Relaxed) >= 3 {
                return (counts, failed);
            }
            let verdict = run(seed, None);
            for (what, count) in &verdict.counts {
                *counts.entry(*what).or_insert(0) += count;
            }
            if !verdict.faults.is_empty() {
                failures.fetch_add(1, Ordering::Relaxed);
                failed.push(verdict);
            }
        }
    };
    let (mut counts, mut failed) = (BTreeMap::new(), Vec::new());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (some, verdicts) = thread.join().unwrap();
            failed.extend(verdicts);
            for (what, count) in some {
                *counts.entry(what).or_insert(0) += count;
            }
        }
    });
    (counts, failed)
}

/// What a person reads who has to find the cause.
fn report(failed: &[Verdict]) -> String {
    let mut text = String::new();
    for Verdict { seed, faults, .. } in failed {
        text += &format!("HOLDERS_SEED={seed} cargo test -p smoother-tests --test holders one_seed\n");
        text += &format!("  {}\n", faults.join("\n  "));
    }
    text
}

#[test]
fn hundreds_of_schedules_keep_every_promise() {
    let (counts, failed) = run_all(0..240);
    assert!(failed.is_empty(), "{}", report(&failed));
    // A run in which nothing happened has shown nothing.
    for what in [
        "call", "untold", "cancel", "late", "lost", "paused", "killed", "relieved", "awake", "idle",
        "time up", "stopped", "stepped", "refused",
    ] {
        let count = counts.get(what).copied().unwrap_or_default();
        assert!(count > 20, "{what} was seen {count} times in {counts:?}");
    }
}

/// `HOLDERS_SEED=n` replays a seed that failed, and prints all of it.
#[test]
fn one_seed() {
    let Some(seed) = number("HOLDERS_SEED") else {
        return;
    };
    let verdict = run(seed, None);
    assert!(
        verdict.faults.is_empty(),
        "{:#?}\n{}\n{:#?}",
        Scenario::of(seed),
        verdict.events.join("\n"),
        verdict.faults
    );
}

/// `make simulate-holders`: `HOLDERS_SEEDS` of them (10,000), beginning with `HOLDERS_SEED`.
#[test]
#[ignore = "as long as one likes"]
#[allow(
    clippy::print_stdout,
    reason = "whoever waits for a long run wants to know what it has seen"
)]
fn many_seeds() {
    let from = number("HOLDERS_SEED").unwrap_or(0);
    let seeds = from..from + number("HOLDERS_SEEDS").unwrap_or(10_000);
    let (counts, failed) = run_all(seeds.clone());
    assert!(failed.is_empty(), "{}", report(&failed));
    println!("schedules {seeds:?} keep every promise; events: {counts:?}");
}

#[test]
fn a_seed_replays_to_the_last_event() {
    for seed in 0..20 {
        let (first, second) = (run(seed, None), run(seed, None));
        let both = first.events.iter().zip(&second.events);
        let differs = both.into_iter().find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
    }
}

/// How many seeds a fault may hide in.
pub const SEEDS: u64 = 400;

/// Whether one of the seeds finds out what is broken, by the word for what it breaks.
fn is_found(broken: Broken, word: &str) -> bool {
    let finds = |seed| {
        run(seed, Some(broken))
            .faults
            .iter()
            .any(|fault| fault.starts_with(word))
    };
    (0..SEEDS).any(finds)
}

#[test]
fn a_ledger_that_is_not_fenced_is_found_out() {
    assert!(is_found(Broken::NoFence, "stale"));
}

#[test]
fn a_ledger_that_comes_after_its_releases_is_found_out() {
    assert!(is_found(Broken::LedgerAfterRelease, "quota"));
}

#[test]
fn forgetting_the_calls_that_are_not_over_is_found_out() {
    assert!(is_found(Broken::OpenCallsForgotten, "quota"));
}

#[test]
fn a_promise_that_is_not_kept_is_found_out() {
    assert!(is_found(Broken::PromiseNotKept, "stuck"));
}

#[test]
fn leaving_without_reading_once_more_is_found_out() {
    assert!(is_found(Broken::NoRereadOnLeaving, "left behind"));
}

#[test]
fn not_reading_who_has_something_waiting_is_found_out() {
    assert!(is_found(Broken::RegistryIgnored, "stuck"));
}
