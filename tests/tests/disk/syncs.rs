//! A disk that fails: the server ends with an error, and acknowledges nothing after it.

use std::time::Duration;

use futures_util::future::join_all;
use smoother_tests::disk::load::Desk;
use smoother_tests::disk::server::Server;

use crate::house::House;

/// Bytes of a body that goes to a file of its own.
const LARGE: usize = 100_000;

/// Requests until the server is gone; what follows the fault is no promise.
async fn load_until_the_end(server: &mut Server, desk: &Desk, body_bytes: usize) {
    for batch in 0..250 {
        let marks: Vec<String> = (0..8).map(|n| format!("after-{batch}-{n}")).collect();
        let sent = join_all(marks.iter().map(|mark| desk.submit(mark, body_bytes, 0))).await;
        let refused = sent.into_iter().any(|job| job.unwrap().is_none());
        if refused
            && server
                .ended_within(Duration::from_millis(50))
                .await
                .unwrap()
                .is_some()
        {
            return;
        }
    }
    panic!("still serves: {}", server.said().unwrap());
}

/// What was told before stands, nothing was told of what was asked for after the fault, and the error is said.
async fn ends_loudly(house: &House, server: &mut Server, desk: &Desk, file: &str) {
    let status = server.ended().await.unwrap();
    let said = server.said().unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("the store had to stop"), "{said}");
    let faults = house.faults();
    let (at, words) = faults.first().unwrap();
    assert!(words.contains(file), "{words}");
    let after: Vec<_> = desk
        .notes()
        .told
        .into_iter()
        .filter(|told| told.asked >= *at)
        .collect();
    assert!(after.is_empty(), "{words}: {after:?}");
    house.all_kept(&desk.notes().told).await;
}

/// The rule is put in force while the server serves.
async fn ends_at(rule: &str, file: &str, body_bytes: usize) {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    desk.load(1, 10, 4).await.unwrap();
    house.place.rule(rule).unwrap();
    load_until_the_end(&mut server, &desk, body_bytes).await;
    ends_loudly(&house, &mut server, &desk, file).await;
}

#[tokio::test]
async fn a_failed_sync_of_the_log_ends_the_server() {
    ends_at("eio sync wal times=1", "smoother.db-wal", 100).await;
}

#[tokio::test]
async fn a_failed_sync_of_a_payload_ends_the_server() {
    ends_at("eio sync payload times=1", ".body.", LARGE).await;
}

#[tokio::test]
async fn a_failed_sync_of_a_directory_ends_the_server() {
    ends_at("eio sync dir times=1", "payloads", LARGE).await;
}

/// A directory's entries cannot be written anew, as a file can: that there was no room for them is no better.
#[tokio::test]
async fn no_room_for_a_directorys_entries_ends_the_server() {
    ends_at("enospc sync dir times=1", "payloads", LARGE).await;
}

/// SQLite copies the log back into the database in a checkpoint; here that happens while the server serves.
#[tokio::test]
async fn a_failed_sync_of_the_database_ends_the_server() {
    ends_at("eio sync db times=1", "smoother.db", 60_000).await;
}

#[tokio::test]
async fn a_failed_write_of_the_log_ends_the_server() {
    ends_at("eio write wal skip=3 times=1", "smoother.db-wal", 100).await;
}

#[tokio::test]
async fn a_failed_write_of_a_payload_ends_the_server() {
    ends_at("eio write payload times=1", ".body.", LARGE).await;
}

#[tokio::test]
async fn a_payload_that_gets_no_name_ends_the_server() {
    ends_at("eio rename payload times=1", ".body.", LARGE).await;
}

/// At the end, too, where the log is copied back.
#[tokio::test]
async fn what_fails_at_the_end_is_an_error() {
    for rule in [
        "eio sync db times=1",
        "eio write db times=1",
        "eio sync mark times=1",
    ] {
        let house = House::open().await;
        let (mut server, desk) = house.start("").await;
        desk.load(1, 10, 4).await.unwrap();
        house.place.rule(rule).unwrap();
        let status = server.stop().await.unwrap();
        let said = server.said().unwrap();
        assert_eq!(status.code(), Some(1), "{rule}: {said}");
        assert!(said.contains("error: "), "{rule}: {said}");
        assert_eq!(house.faults().len(), 1);
        house.all_kept(&desk.notes().told).await;
    }
}

/// A disk that fails at the start is refused, whatever fails.
#[tokio::test]
async fn a_sync_that_fails_at_the_start_is_a_refusal() {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    desk.load(1, 10, 4).await.unwrap();
    server.kill().await.unwrap();
    let mut refused = 0;
    for n in 0.. {
        let rules = format!("eio sync any skip={n} times=1");
        let before = house.faults().len();
        let Err(said) = house.try_start(&rules).await else {
            // So many syncs are made before it serves, and no more.
            if house.faults().len() == before {
                break;
            }
            panic!("serves after {:?}", house.faults().last());
        };
        assert!(
            said.contains("error: ") && said.contains("os error 5") || said.contains("disk I/O"),
            "{rules}: {said}"
        );
        refused += 1;
    }
    assert!(refused >= 3, "{refused}");
    house.all_kept(&desk.notes().told).await;
}

/// What could not be synced is still in the system's memory when the next server starts, and it is part of what that
/// one goes on from: it has to be written once more, because to sync it again does nothing.
#[tokio::test]
async fn what_a_failed_sync_has_left_in_memory_is_written_anew_by_the_next_start() {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    desk.load(1, 10, 4).await.unwrap();
    house.place.rule("eio sync wal times=1").unwrap();
    load_until_the_end(&mut server, &desk, 100).await;
    let mut told = desk.notes().told;
    let (mut server, desk) = house.start("").await;
    desk.load(2, 10, 4).await.unwrap();
    server.kill().await.unwrap();
    told.extend(desk.notes().told);
    house.all_kept(&told).await;
}
