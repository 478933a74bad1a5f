//! A disk that says it has synced and has not. Nobody can be safe on it, so the audit has to find it out: it would
//! find out a smoother that forgets a sync in the same way.

use std::time::Duration;

use smoother_tests::disk::model::Luck;
use smoother_tests::disk::power::{Plan, left_by, run, start_and_audit};

use crate::house::House;

async fn is_found_out(files: &str) {
    let house = House::open().await;
    let plan = Plan {
        seed: 3,
        lives: 8,
        cuts: 3,
        requests: 20,
        within: Duration::from_secs(60),
        rules: format!("drop sync {files}"),
    };
    let outcome = run(&plan, &house.stage()).await.unwrap();
    assert!(!outcome.faults.is_empty(), "{outcome:#?}");
}

#[tokio::test]
async fn a_log_that_is_not_synced_is_found_out() {
    is_found_out("wal").await;
}

#[tokio::test]
async fn a_database_that_is_not_synced_is_found_out() {
    // The log holds everything until it begins anew, which the next process sees to.
    let house = House::open().await;
    let (mut server, first) = house.start("drop sync db").await;
    first.load(1, 10, 4).await.unwrap();
    assert!(server.stop().await.unwrap().success());
    let (mut server, second) = house.start("drop sync db").await;
    second.load(2, 10, 4).await.unwrap();
    server.kill().await.unwrap();
    let image = left_by(&house.place, Luck::None, 0).unwrap();
    let found = start_and_audit(&house.stage(), &image, &first.notes().told)
        .await
        .unwrap();
    assert!(
        !found.broken.is_empty() || !found.reported.is_empty(),
        "{found:?}"
    );
}

#[tokio::test]
async fn payloads_that_are_not_synced_are_found_out() {
    is_found_out("payload").await;
}

#[tokio::test]
async fn names_that_are_not_synced_are_found_out() {
    is_found_out("dir").await;
}
