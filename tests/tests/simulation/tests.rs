//! The tests: many seeds, one seed again, and every fault built in on purpose.

use super::broken::Broken;
use super::run::run;
use super::seeds::run_all;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

#[test]
fn a_thousand_seeds_keep_every_promise() {
    let tally = run_all(0..1_000);
    assert!(tally.failed.is_empty(), "{}", tally.report());
    // A run in which nothing happened has shown nothing.
    for what in [
        "answered",
        "accepted",
        "throttled",
        "odd",
        "late",
        "cut",
        "lost",
        "full",
        "left",
        "cut off",
        "broke",
        "house",
        "no room",
        "shed",
    ] {
        let count = tally.counts.get(what).copied().unwrap_or_default();
        assert!(count > 20, "{what} was seen {count} times in {:?}", tally.counts);
    }
}

/// `SIMULATION_SEED=n` replays a seed that failed, and prints all of it.
#[test]
fn one_seed() {
    let Some(seed) = number("SIMULATION_SEED") else {
        return;
    };
    let scenario = super::scenario::Scenario::of(seed);
    let verdict = run(seed, None);
    assert!(
        verdict.faults.is_empty(),
        "{scenario:#?}\n{}\n{:#?}",
        verdict.events.join("\n"),
        verdict.faults
    );
}

/// `make simulate`: `SIMULATION_SEEDS` of them, beginning with `SIMULATION_SEED`.
#[test]
#[ignore = "as long as one likes"]
#[allow(
    clippy::print_stdout,
    reason = "whoever waits for a long run wants to know what it has seen"
)]
fn many_seeds() {
    let from = number("SIMULATION_SEED").unwrap_or(0);
    let seeds = from..from + number("SIMULATION_SEEDS").unwrap_or(100_000);
    let tally = run_all(seeds.clone());
    assert!(tally.failed.is_empty(), "{}", tally.report());
    println!("seeds {seeds:?} keep every promise; events: {:?}", tally.counts);
}

#[test]
fn a_seed_replays_to_the_last_event() {
    for seed in 0..40 {
        let (first, second) = (run(seed, None), run(seed, None));
        let differs = first
            .events
            .iter()
            .zip(&second.events)
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(run(1, None).hash, run(2, None).hash);
}

/// How many seeds a fault may hide in.
const SEEDS: u64 = 400;

/// Whether one of the seeds finds out what is broken, by the guarantee that it breaks.
fn is_found((broken, guarantee): (Broken, &str)) -> bool {
    let finds = |seed| {
        run(seed, Some(broken))
            .faults
            .iter()
            .any(|fault| fault.starts_with(guarantee))
    };
    (0..SEEDS).any(finds)
}

#[test]
fn every_broken_house_is_found_out() {
    let halves = Broken::ALL.split_at(Broken::ALL.len() / 2);
    let unfound = |some: &[(Broken, &'static str)]| -> Vec<_> {
        some.iter().copied().filter(|broken| !is_found(*broken)).collect()
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| unfound(halves.0));
        (unfound(halves.1), first.join().unwrap())
    });
    assert_eq!([first, second].concat(), [], "not found out within {SEEDS} seeds");
}
