//! Fifty kills of the real server under load, by a seed that is printed; `make crash` does the same for long.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use smoother_tests::crash::driver::{self, Programs};
use smoother_tests::crash::plan::Plan;
use smoother_tests::crash::report;

/// A request that has no end after so long has none.
const PATIENCE: Duration = Duration::from_secs(120);

/// Set `CRASH_SEED` to replay the schedule of a run that failed.
#[tokio::test]
async fn what_was_promised_outlives_fifty_kills() {
    let seed = std::env::var("CRASH_SEED")
        .map_or_else(|_| rand::random_range(0..1_000_000), |seed| seed.parse().unwrap());
    let plan = Plan {
        seed,
        kills: 50,
        requests: 1_000,
        clients: 3,
    };
    let programs = Programs::beside(Path::new(env!("CARGO_BIN_EXE_crash"))).unwrap();
    let outcome = driver::run(plan, &programs, PATIENCE).await.unwrap();
    assert!(
        outcome.faults.is_empty(),
        "{} faults (CRASH_SEED={seed}, records in {:?}):\n{}",
        outcome.faults.len(),
        outcome.folder,
        outcome.histories
    );
    // A run that hit nothing has shown nothing.
    let counts = &outcome.counts;
    let shown = format!("CRASH_SEED={seed}: {:?}", report::lines(&outcome));
    assert!(
        counts.kills >= 50 && counts.kills_starting > 0 && counts.kills_draining > 0,
        "{shown}"
    );
    assert!(counts.indeterminate > 0 && counts.answered > 0, "{shown}");
    assert!(counts.acknowledged * 2 > counts.asked, "{shown}");
    assert!(
        counts.fullest_minute_permille > 400,
        "the quota was to bind: {shown}"
    );
}
