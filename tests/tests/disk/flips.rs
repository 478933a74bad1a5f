//! Flipped bits: refused at the start or told where it is read, never a wrong answer.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_tests::disk::audit::audit;
use smoother_tests::disk::load::Told;
use smoother_tests::disk::model::Luck;
use smoother_tests::disk::power::{left_by, start_and_audit};

use crate::house::House;

/// Serves some callers, and leaves a disk: with a log, where it was killed.
async fn left(house: &House, killed: bool) -> Vec<Told> {
    let (mut server, desk) = house.start("").await;
    desk.load(2, 40, 8).await.unwrap();
    if killed {
        server.kill().await.unwrap();
    } else {
        assert!(server.stop().await.unwrap().success());
    }
    let notes = desk.notes();
    assert!(notes.refused.is_empty() && notes.broken == 0, "{notes:?}");
    notes.told
}

/// One bit of what was left is flipped, again and again. Gives how often that was noticed.
async fn one_bit(killed: bool, takes: impl Fn(&str) -> bool + Copy, times: usize) -> usize {
    let house = House::open().await;
    let told = left(&house, killed).await;
    let whole = left_by(&house.place, Luck::All, 0).unwrap();
    let seed = rand::random_range(0..1_000_000);
    let mut random = StdRng::seed_from_u64(seed);
    let mut noticed = 0;
    for _ in 0..times {
        let mut image = whole.clone();
        let flipped = image.flip(&mut random, takes).unwrap();
        let found = start_and_audit(&house.stage(), &image, &told).await.unwrap();
        assert!(found.broken.is_empty(), "seed {seed}, {flipped}: {found:#?}");
        noticed += usize::from(!found.reported.is_empty());
    }
    noticed
}

#[tokio::test]
async fn a_bit_flipped_in_the_log_is_refused() {
    assert!(one_bit(true, |path| path.ends_with("-wal"), 5).await > 0);
}

#[tokio::test]
async fn a_bit_flipped_in_the_database_is_refused_or_told() {
    // Most of it is bodies, which nobody asks for again: nothing need come of a bit in those.
    one_bit(false, |path| path.ends_with(".db"), 6).await;
}

#[tokio::test]
async fn a_bit_flipped_in_a_payload_is_told() {
    let result = |path: &str| path.contains(".result.");
    assert_eq!(one_bit(false, result, 2).await, 2);
}

/// The disk flips a bit of what the running server reads, now and then, or of what it has written.
#[tokio::test]
async fn bits_flipped_under_a_running_server_are_told() {
    let house = House::open().await;
    let told = left(&house, false).await;
    let seed = rand::random_range(0..1_000_000_u64);
    let mut random = StdRng::seed_from_u64(seed);
    let mut noticed = 0;
    for files in ["db", "payload", "db,payload"] {
        let rules = format!(
            "flip read {files} skip={} seed={seed}",
            random.random_range(0..40)
        );
        let found = match house.try_start(&rules).await {
            Ok(mut server) => {
                let found = audit(&server.url, &told).await;
                server.kill().await.unwrap();
                found
            }
            Err(_) => {
                noticed += 1;
                continue;
            }
        };
        assert!(found.broken.is_empty(), "seed {seed}, {rules}: {found:#?}");
        noticed += usize::from(!found.reported.is_empty());
    }
    assert!(noticed > 0, "seed {seed}");
}

#[tokio::test]
async fn a_bit_flipped_in_what_is_written_is_refused_or_told() {
    for (files, skip) in [("payload", 0), ("wal", 40), ("wal", 41), ("db", 3)] {
        let house = House::open().await;
        let (mut server, desk) = house.start("").await;
        house
            .place
            .rule(&format!("flip write {files} skip={skip} times=1 seed=1"))
            .unwrap();
        desk.load(4, 40, 8).await.unwrap();
        server.stop().await.unwrap();
        assert_eq!(house.faults().len(), 1, "{files}");
        let image = left_by(&house.place, Luck::All, 0).unwrap();
        let found = start_and_audit(&house.stage(), &image, &desk.notes().told)
            .await
            .unwrap();
        assert!(found.broken.is_empty(), "{files}, {skip}: {found:#?}");
    }
}
