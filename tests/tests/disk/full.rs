//! A full disk: each request is told so, and service goes on when there is room.

use crate::house::House;

const LARGE: usize = 100_000;
/// No room for anything new, in a file or in a directory.
const FULL: &str = "enospc write,create,mkdir,rename any";

async fn refuses_and_resumes(rules: &str, body_bytes: usize) {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    for round in 0..3 {
        let told = desk.notes().told.len();
        desk.load(round, 10, 4).await.unwrap();
        assert!(desk.notes().told.len() >= told + 10, "{:?}", desk.notes().refused);
        let before = desk.notes();
        house.place.rule(rules).unwrap();
        for n in 0..5 {
            let job = desk
                .submit(&format!("full-{round}-{n}"), body_bytes, 0)
                .await
                .unwrap();
            assert_eq!(job, None);
        }
        let after = desk.notes();
        let statuses: Vec<u16> = after.refused[before.refused.len()..]
            .iter()
            .map(|refused| refused.status)
            .collect();
        assert_eq!(statuses, [507; 5], "{:?}", after.refused.last());
        assert_eq!(after.broken, before.broken);
        house.place.rule("").unwrap();
    }
    assert!(!house.faults().is_empty());
    desk.load(9, 10, 4).await.unwrap();
    assert!(
        server.stop().await.unwrap().success(),
        "{}",
        server.said().unwrap()
    );
    house.all_kept(&desk.notes().told).await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_service_resumes() {
    refuses_and_resumes(FULL, 100).await;
    refuses_and_resumes(FULL, LARGE).await;
}

#[tokio::test]
async fn a_payload_that_fits_in_part_leaves_nothing() {
    refuses_and_resumes("short write payload times=1\nenospc write payload", LARGE).await;
    // Some file systems say only at the sync that there is no room for a new file.
    refuses_and_resumes("enospc sync payload", LARGE).await;
}

/// A call that was under way when the disk filled is paid for: its end is kept as soon as there is room.
#[tokio::test]
async fn what_ends_while_the_disk_is_full_is_kept_when_there_is_room() {
    let house = House::open().await;
    let (mut server, desk) = house.start("").await;
    let mut jobs = Vec::new();
    for n in 0..5 {
        jobs.push(
            desk.submit(&format!("paid-{n}"), 100, 2_000)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    // Their calls are under way, and claimed.
    while house.upstream.stats().total.calls < 5 {
        tokio::task::yield_now().await;
    }
    house.place.rule(FULL).unwrap();
    while house.faults().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    house.place.rule("").unwrap();
    for job in &jobs {
        desk.see(job).await.unwrap();
    }
    let results = desk
        .notes()
        .told
        .iter()
        .filter(|told| matches!(told.what, smoother_tests::disk::load::What::Result { .. }))
        .count();
    assert_eq!(results, jobs.len(), "{:?}", desk.notes());
    assert_eq!(house.upstream.stats().total.calls, 5);
    assert!(server.stop().await.unwrap().success());
    house.all_kept(&desk.notes().told).await;
}
