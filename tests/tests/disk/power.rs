//! Power cuts.

use std::time::Duration;

use smoother_tests::disk::power::{Plan, run};

use crate::house::House;

/// Set `DISK_SEED` to replay the choices of a run that failed, `DISK_LIVES` for a longer run.
#[tokio::test]
async fn what_was_told_outlives_power_cuts_and_they_are_no_damage() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("DISK_SEED").unwrap_or_else(|| rand::random_range(0..1_000_000));
    let lives = number("DISK_LIVES");
    let house = House::open().await;
    let plan = Plan {
        seed,
        lives: usize::try_from(lives.unwrap_or(4)).unwrap(),
        cuts: 5,
        requests: 60,
        within: Duration::from_secs(if lives.is_some() { 24 * 3_600 } else { 6 }),
        rules: String::new(),
    };
    let outcome = run(&plan, &house.stage()).await.unwrap();
    let shown = format!("DISK_SEED={seed}: {outcome:#?}");
    assert!(outcome.faults.is_empty(), "{shown}");
    // A run that cut nothing has shown nothing.
    assert!(
        outcome.cuts >= 5 && outcome.kept > 0 && outcome.told > 50,
        "{shown}"
    );
    if lives.is_some() {
        std::io::Write::write_all(&mut std::io::stderr(), format!("{shown}\n").as_bytes()).unwrap();
    }
}

/// A write that takes only a part is asked for the rest.
#[tokio::test]
async fn writes_that_stop_half_way_are_gone_on_with() {
    let house = House::open().await;
    let (mut server, desk) = house.start("short write any").await;
    desk.load(5, 25, 8).await.unwrap();
    let notes = desk.notes();
    assert!(notes.refused.is_empty() && notes.broken == 0, "{notes:?}");
    assert!(server.stop().await.unwrap().success());
    let faults = house.faults();
    for file in ["smoother.db-wal", "smoother.db", "smoother.mark", ".body."] {
        assert!(faults.iter().any(|(_, words)| words.contains(file)), "{file}");
    }
    house.all_kept(&desk.notes().told).await;
}
