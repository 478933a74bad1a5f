//! How writes share commits, and when they are answered.

use crate::fixture::*;
use smoother_core::Door;
use smoother_core::lifecycle::State;
use smoother_core::ports::{ChangeError, Inserted, Outbox, PayloadRef, Store, StoreError};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_arrival_its_release_and_its_claim_are_one_commit() {
    let f = Fixture::new();
    let before = f.store.commits();
    let mut shared = 0;
    for n in 0..20 {
        let row = request(n);
        let at_start = f.store.commits();
        let inserted = f.store.insert(new(&row));
        let released = f.store.change(row.id, release(1));
        let claimed = f.store.change(row.id, claim(1)).await.unwrap();
        assert_eq!(claimed.state, State::Running);
        inserted.await.unwrap();
        released.await.unwrap();
        shared += u64::from(f.store.commits() == at_start + 1);
    }
    // A thread that is held up between two writes may cost one now and then.
    assert!(
        shared >= 15,
        "{shared} of 20 in one commit, {} in all",
        f.store.commits() - before
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_few_commits() {
    let f = Fixture::new();
    let before = f.store.commits();
    let inserts: Vec<_> = (0..500)
        .map(|n| {
            let mut row = request(n);
            row.door = Door::Job;
            f.store.insert(new(&row))
        })
        .collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let commits = f.store.commits() - before;
    assert!(commits <= 50, "{commits} commits for 500 inserts");
    assert_eq!(f.get(id(499)).await.state, State::Queued);
}

#[tokio::test]
async fn a_write_that_nobody_awaits_is_committed_all_the_same() {
    let f = Fixture::new();
    let row = request(1);
    drop(f.store.insert(new(&row)));
    drop(f.store.change(row.id, release(1)));
    // An awaited write that begins later is answered later.
    f.insert(&request(2)).await.unwrap();
    assert_eq!(f.get(row.id).await.state, State::Released);
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let f = Fixture::new();
    for n in 0..20 {
        let row = request(n);
        f.insert(&row).await.unwrap();
        f.release(row.id, 1).await.unwrap();
        f.claim(row.id, 1).await.unwrap();
        if n % 2 == 0 {
            f.complete(row.id, 1, b"answer").await;
        }
        let crashed = f.crashed();
        for m in 0..=n {
            let expected = if m % 2 == 0 {
                State::Completed
            } else {
                State::Running
            };
            assert_eq!(crashed.get(id(m)).await.state, expected);
        }
    }
}

#[tokio::test]
async fn jobs_wait_for_their_commit_even_when_relaxed() {
    let f = Fixture::relaxed();
    for n in 0..10 {
        let mut row = request(n);
        row.door = Door::Job;
        f.insert(&row).await.unwrap();
        assert_eq!(f.crashed().get(row.id).await.state, State::Queued);
    }
}

#[tokio::test]
async fn relaxed_writes_of_synchronous_requests_do_not_wait_for_commits() {
    let f = Fixture::relaxed();
    let rows: Vec<_> = (0..200).map(request).collect();
    let before = f.store.commits();
    for row in &rows {
        f.insert(row).await.unwrap();
        f.release(row.id, 1).await.unwrap();
        f.claim(row.id, 1).await.unwrap();
        f.complete(row.id, 1, b"answer").await;
    }
    let commits = f.store.commits() - before;
    assert!(commits < 400, "800 answers in turn took {commits} commits");
    // A clean end keeps all of them.
    let f = f.reopened();
    for row in &rows {
        assert_eq!(f.get(row.id).await.state, State::Completed);
    }
}

/// Keeps every commit of the store waiting until it is rolled back.
fn hold(f: &Fixture) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(f.dir.path().join("smoother.db")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[tokio::test]
async fn relaxed_writes_are_answered_while_a_commit_is_under_way() {
    let f = Fixture::relaxed();
    let held = hold(&f);
    let mut job = request(1);
    job.door = Door::Job;
    let mut inserted = f.store.insert(new(&job));
    let rows: Vec<_> = (2..200).map(request).collect();
    let all = async {
        for row in &rows {
            f.insert(row).await.unwrap();
            f.release(row.id, 1).await.unwrap();
            f.claim(row.id, 1).await.unwrap();
            f.complete(row.id, 1, b"answer").await;
        }
    };
    // SQLite would wait five seconds for its lock.
    tokio::time::timeout(Duration::from_secs(4), all).await.unwrap();
    assert!(
        futures_util::poll!(&mut inserted).is_pending(),
        "a job waits for its commit"
    );
    held.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(inserted.await.unwrap(), Inserted::Fresh));
    let f = f.reopened();
    for row in &rows {
        assert_eq!(f.get(row.id).await.state, State::Completed);
    }
}

#[tokio::test]
async fn what_was_applied_after_a_commit_that_fails_fails_with_it() {
    let mut f = Fixture::new();
    let held = hold(&f);
    let mut job = request(1);
    job.door = Door::Job;
    let first = f.store.insert(new(&job));
    let others: Vec<_> = (2..50)
        .map(|n| {
            (
                f.store.insert(new(&request(n))),
                f.store.change(id(n), release(1)),
            )
        })
        .collect();
    held.execute_batch("DROP TABLE events; COMMIT").unwrap();
    let why = first.await.unwrap_err();
    for (insert, change) in others {
        assert_eq!(insert.await.unwrap_err(), why);
        assert_eq!(change.await.unwrap_err(), ChangeError::Store(why.clone()));
    }
    assert_eq!((&mut f.fatal).await, why);
    drop(f.store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_copied_back_while_the_store_is_open() {
    let f = Fixture::new();
    let database = f.dir.path().join("smoother.db");
    let small = std::fs::metadata(&database).unwrap().len();
    for round in 0..200 {
        let inserts: Vec<_> = (0..20)
            .map(|n| {
                let mut new = new(&request(round * 20 + n));
                new.body = PayloadRef::Inline(vec![1; 20_000].into());
                f.store.insert(new)
            })
            .collect();
        for insert in inserts {
            insert.await.unwrap();
        }
        if std::fs::metadata(&database).unwrap().len() > small + 8_000_000 {
            return;
        }
    }
    panic!("80 MB were written and none of it left the log");
}

#[tokio::test]
async fn a_commit_that_fails_stops_the_store_loudly() {
    let mut f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    let conn = rusqlite::Connection::open(f.dir.path().join("smoother.db")).unwrap();
    conn.execute_batch("DROP TABLE events").unwrap();
    let failed = f.insert(&request(2)).await.unwrap_err();
    assert!(matches!(&failed, StoreError::Failed(_)), "{failed}");
    assert_eq!((&mut f.fatal).await, failed);
    assert_eq!(f.insert(&request(3)).await.unwrap_err(), failed);
    assert_eq!(f.store.next(u64::MAX, 1).await.unwrap_err(), failed);
    assert_eq!(f.store.close().await.unwrap_err(), failed);
    // What was stored can still be read.
    assert_eq!(f.get(id(1)).await, request(1));
}
