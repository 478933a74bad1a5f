//! The figures, for people. Not run by default: it takes a minute.
//! `cargo test --release -p smoother-core --lib pacing_table -- --ignored --nocapture`

use super::bed::{Bed, Client};
use super::workload::Workload::{self, A, B, C, D};
use crate::config::Pacing;
use crate::ledger::tests::limiters::KINDS;

const SEEDS: u64 = 10;

/// Takes three tenths of the quota for ten minutes.
pub(super) const CLIENT: Client = Client {
    share: 0.3,
    from: 600_000,
    until: 1_200_000,
};

fn rows(title: &str, law: Pacing, workload: Workload, bed: impl Fn(Bed) -> Bed) {
    for kind in KINDS {
        let figures = bed(Bed::new(law, kind, workload)).figures(SEEDS);
        println!("{law:?} {title:10} {workload:?} {kind:?}: {figures}");
    }
}

#[test]
#[ignore = "prints figures; run it with --release"]
fn pacing_table() {
    println!(
        "throttled % (worst run) | use % to the last end, to the last release | drain s, in parts of the bound | \
         interactive wait p95 ms, worst | beside the client: throttled %, own use % | adapted after s (worst), \
         recovered after s (worst)"
    );
    let laws = match std::env::var("PACING").as_deref() {
        Ok("auto") => vec![Pacing::Auto],
        Ok("eager") => vec![Pacing::Eager],
        _ => vec![Pacing::Auto, Pacing::Eager],
    };
    for law in laws {
        for workload in [A, B, C, D(10)] {
            rows("", law, workload, |bed| bed);
            rows("far", law, workload, Bed::far_away);
        }
        rows("client", law, D(30), |bed| bed.far_away().beside(CLIENT));
        for workload in [A, B, D(10)] {
            rows("10 % more", law, workload, |bed| bed.far_away().believing(110));
            rows("10 % less", law, workload, |bed| bed.far_away().believing(90));
        }
    }
}
