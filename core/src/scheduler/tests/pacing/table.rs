//! The figures, for people: `make pacing` prints them into docs/pacing.md.

use super::bed::{Bed, Client, Estimates};
use super::workload::Workload::{self, A, B, C, D};
use crate::config::Pacing;
use crate::ledger::tests::limiters::{KINDS, Kind};

const SEEDS: u64 = 10;

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
