//! The figures, for people: `make pacing` prints them into docs/pacing.md.

use super::bed::{Bed, Client, Estimates};
use super::workload::Workload::{self, A, B, C, D};
use crate::config::Pacing;
use crate::ledger::tests::limiters::{KINDS, Kind};
use std::collections::BTreeMap;

const SEEDS: u64 = 10;
const PHASES: u64 = 120;

/// Takes three tenths of the quota for ten minutes.
pub(super) const CLIENT: Client = Client {
    share: 0.3,
    from: 600_000,
    until: 1_200_000,
};

/// All inputs are taken for a tenth less than they are, and each for up to a tenth more or less than that.
pub(super) const ESTIMATES: Estimates = Estimates { spread: 10, low: 10 };

fn named(kind: Kind) -> String {
    match kind {
        Kind::Bucket(seconds) => format!("bucket of {seconds} s"),
        Kind::Fixed => "fixed minute".to_owned(),
        Kind::Sliding => "sliding minute".to_owned(),
    }
}

fn rows(law: Pacing, workload: Workload, title: &str, bed: impl Fn(Bed) -> Bed) {
    let name = match workload {
        A => "A".to_owned(),
        B => "B".to_owned(),
        C => "C".to_owned(),
        D(minutes) => format!("D, {minutes} min"),
    };
    for kind in KINDS {
        let figures = bed(Bed::new(law, kind, workload)).figures(SEEDS);
        println!("| {name}{title} | {} | {figures} |", named(kind));
    }
}

fn tables(law: Pacing) {
    println!("\n## `{}`\n", format!("{law:?}").to_lowercase());
    println!(
        "| workload | limiter | refused, % (worst run) | use of the quota, % | to the last release, % | drain, s | in \
         parts of the bound | interactive wait p95, ms | longest, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for workload in [A, B, C, D(10)] {
        rows(law, workload, "", |bed| bed);
    }
    for workload in [A, B, C, D(10)] {
        rows(law, workload, "; far away", Bed::far_away);
    }
    for workload in [A, B, D(10)] {
        rows(law, workload, "; believed 10 % too high", |bed| {
            bed.far_away().believing(110)
        });
        rows(law, workload, "; believed 10 % too low", |bed| {
            bed.far_away().believing(90)
        });
    }
    for workload in [A, B, D(10)] {
        rows(
            law,
            workload,
            "; inputs taken for 0 to 20 % less than they are",
            |bed| bed.far_away().estimating(ESTIMATES),
        );
    }
    println!(
        "\n| beside another client | limiter | refused in all, % (worst run) | while it is there, % | from its third \
         minute on, % | own use meanwhile, % | adapted after, s (worst) | recovered after, s (worst) |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    rows(law, D(30), "; far away", |bed| bed.far_away().beside(CLIENT));
}

/// Bursts on a fixed minute, by how long after their beginning it turns.
fn phases(workload: Workload) {
    let mut of_turn: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for seed in 1..=PHASES {
        let run = Bed::new(Pacing::Eager, Kind::Fixed, workload).run(seed);
        let both = (run.bound().unwrap() / 1_000.0, run.drain() / 1_000.0);
        of_turn.entry(run.turns_after() / 10).or_default().push(both);
    }
    let row = |when: &str, runs: &[(f64, f64)]| {
        let (bound, drain) = runs
            .iter()
            .fold((0.0, 0.0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
        let worst = runs
            .iter()
            .map(|(bound, drain)| drain / bound)
            .fold(0.0, f64::max);
        let long = runs
            .iter()
            .filter(|(bound, drain)| drain > &(1.5 * bound))
            .count();
        let count = runs.len() as f64;
        println!(
            "| {workload:?} | {when} | {count} | {:.1} | {:.1} | {:.2} ({worst:.2}) | {long} |",
            bound / count,
            drain / count,
            drain / bound
        );
    };
    for (tens, runs) in &of_turn {
        row(&format!("{} to {} s", 10 * tens, 10 * tens + 10), runs);
    }
    let all: Vec<(f64, f64)> = of_turn.into_values().flatten().collect();
    row("any time", &all);
}

#[test]
#[ignore = "prints figures; run it with --release"]
fn pacing_table_phases_of_eager() {
    println!("\n## `eager`, where a fixed minute turns\n");
    println!(
        "| workload | it turns after | runs | bound, s | drain, s | in parts of the bound (worst run) | runs above 1.5 |"
    );
    println!("|---|---|---|---|---|---|---|");
    for workload in [A, B] {
        phases(workload);
    }
}

#[test]
#[ignore = "prints figures; run it with --release"]
fn pacing_table_of_auto() {
    tables(Pacing::Auto);
}

#[test]
#[ignore = "prints figures; run it with --release"]
fn pacing_table_of_eager() {
    tables(Pacing::Eager);
}
