//! A disk that fails to read: told to whoever asked, or refused at the start; and nothing of what is there is lost.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_tests::disk::audit::audit;

use crate::house::House;

/// Serves some callers, stops, and is started on a disk that fails such reads: no answer is wrong, what cannot be read
/// is told, and all of it is there once the disk reads again. Gives how often a failed read was noticed.
async fn fails_to_read(files: &str, skips: std::ops::Range<u32>, times: usize) -> usize {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    desk.load(5, 40, 8).await.unwrap();
    assert!(server.stop().await.unwrap().success());
    let notes = desk.notes();
    assert!(notes.refused.is_empty() && notes.broken == 0, "{notes:?}");
    let seed = rand::random_range(0..1_000_000_u64);
    let mut random = StdRng::seed_from_u64(seed);
    let mut noticed = 0;
    for _ in 0..times {
        let rules = format!(
            "eio read {files} skip={} times=2",
            random.random_range(skips.clone())
        );
        match house.try_start(&rules).await {
            Ok(mut server) => {
                let found = audit(&server.url, &notes.told).await;
                server.kill().await.unwrap();
                assert!(found.broken.is_empty(), "seed {seed}, {rules}: {found:#?}");
                noticed += usize::from(!found.reported.is_empty());
            }
            Err(said) => {
                assert!(said.contains("error: "), "seed {seed}, {rules}: {said}");
                noticed += 1;
            }
        }
    }
    house.place.rule("").unwrap();
    house.all_kept(&notes.told).await;
    noticed
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_told_and_is_there_when_it_can() {
    assert!(fails_to_read("payload", 0..1, 3).await > 0);
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_refused_or_told() {
    assert!(fails_to_read("db", 0..30, 5).await > 0);
}
