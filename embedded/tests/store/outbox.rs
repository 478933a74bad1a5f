//! Terminal states on their way out.

use crate::fixture::*;
use smoother_core::lifecycle::{Change, State};
use smoother_core::ports::{Outbox, Store, StoreError};
use std::sync::Arc;

async fn cancel(f: &Fixture, n: u64) {
    f.insert(&request(n)).await.unwrap();
    f.store.change(id(n), Change::Cancel { at: at(5) }).await.unwrap();
}

#[tokio::test]
async fn ends_are_read_in_order_until_they_are_told() {
    let f = Fixture::new();
    for n in 0..5 {
        cancel(&f, n).await;
    }
    let first = f.store.next(0, 3).await.unwrap();
    let second = f.store.next(first[2].seq, 10).await.unwrap();
    let ids: Vec<_> = first.iter().chain(&second).map(|e| e.request.id).collect();
    assert_eq!(ids, (0..5).map(id).collect::<Vec<_>>());
    assert!(first.iter().all(|e| e.request.state == State::Cancelled));
    assert!(first.windows(2).all(|w| w[0].seq < w[1].seq));

    f.store.told(first[2].seq).await.unwrap();
    let left = f.store.next(0, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|e| e.request.id).collect::<Vec<_>>(),
        [id(3), id(4)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_waits_for_the_next_end() {
    let f = Fixture::new();
    cancel(&f, 1).await;
    let known = f.store.next(0, 10).await.unwrap()[0].seq;
    f.store.told(known).await.unwrap();
    for (n, after) in [(2, 0), (3, known)] {
        let waiting = tokio::spawn({
            let store = Arc::clone(&f.store);
            async move { store.next(after, 10).await.unwrap() }
        });
        cancel(&f, n).await;
        let entries = waiting.await.unwrap();
        assert_eq!(entries[0].request.id, id(n));
        f.store.told(entries[0].seq).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_not_told_is_found_after_a_restart_and_no_number_comes_twice() {
    let f = Fixture::new();
    for n in 0..3 {
        cancel(&f, n).await;
    }
    let entries = f.store.next(0, 10).await.unwrap();
    f.store.told(entries[0].seq).await.unwrap();

    let f = f.reopened();
    let again = f.store.next(0, 10).await.unwrap();
    assert_eq!(
        again.iter().map(|e| e.seq).collect::<Vec<_>>(),
        entries[1..].iter().map(|e| e.seq).collect::<Vec<_>>()
    );
    let last = again[1].seq;
    f.store.told(last).await.unwrap();

    let f = f.reopened();
    cancel(&f, 9).await;
    let fresh = f.store.next(0, 10).await.unwrap();
    assert_eq!(fresh.len(), 1);
    assert!(fresh[0].seq >= last, "{} after {last}", fresh[0].seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_far_behind_misses_nothing() {
    let f = Fixture::new();
    let writes: Vec<_> = (0..3_000)
        .flat_map(|n| {
            drop(f.store.insert(new(&request(n))));
            [f.store.change(id(n), Change::Cancel { at: at(5) })]
        })
        .collect();
    for write in writes {
        write.await.unwrap();
    }
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < 3_000 {
        for entry in f.store.next(after, 700).await.unwrap() {
            assert!(entry.seq > after);
            after = entry.seq;
            seen.push(entry.request.id);
        }
    }
    assert_eq!(seen, (0..3_000).map(id).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_end_that_cannot_be_read_stops_the_store_naming_it() {
    for damage in [
        "UPDATE requests SET data = CAST('{}' AS BLOB)",
        "DELETE FROM requests",
    ] {
        let f = Fixture::new();
        cancel(&f, 1).await;
        let seq = f.store.next(0, 1).await.unwrap()[0].seq;
        let f = f.reopened();
        let conn = rusqlite::Connection::open(f.dir.path().join("smoother.db")).unwrap();
        conn.execute_batch(damage).unwrap();
        let unread = f.store.next(0, 10).await.unwrap_err();
        let StoreError::Damaged(cause) = &unread else {
            panic!("{unread}");
        };
        assert!(cause.contains(&format!("outbox entry {seq}")), "{cause}");
        assert_eq!(f.fatal.await, unread);
    }
}
