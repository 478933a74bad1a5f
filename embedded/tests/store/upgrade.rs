//! A directory that an earlier schema wrote, opened by this smoother: all of it is read, and what was open goes on.

use crate::fixture::*;
use rusqlite::Connection;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::{Change, State};
use smoother_core::ports::{ListFilter, Outbox, PayloadKind, Payloads, Store};
use smoother_core::{Outcome, Timestamp, Tokens};
use smoother_embedded::verify;
use std::path::Path;
use tempfile::TempDir;

/// Six requests: queued, released, running, completed, failed, cancelled.
const FIRST: &str = include_str!("upgrade/schema-1.sql");
/// The same, and what a lane had learned.
const SECOND: &str = include_str!("upgrade/schema-2.sql");

fn written_by_the_first() -> TempDir {
    let dir = TempDir::new().unwrap();
    let conn = Connection::open(dir.path().join("smoother.db")).unwrap();
    conn.execute_batch(FIRST).unwrap();
    dir
}

fn schema_of(dir: &Path) -> u32 {
    let conn = Connection::open(dir.join("smoother.db")).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn everything_the_first_schema_holds_is_read_as_it_was() {
    let dir = written_by_the_first();
    assert_eq!(schema_of(dir.path()), 1);
    let store = open(dir.path()).unwrap().store;
    let states = [
        State::Queued,
        State::Released,
        State::Running,
        State::Completed,
        State::Failed,
        State::Cancelled,
    ];
    for (n, state) in (1..).zip(states) {
        let row = store.get(id(n)).await.unwrap().unwrap();
        assert_eq!(
            (row.state, row.tenant.clone(), row.arrived_at),
            (state, tenant("acme"), at(n))
        );
        // What did not exist then is as if it had never been used.
        assert!(row.fallback.is_empty() && row.hops.is_empty() && row.called_model.is_none());
        assert!(!row.dead && !row.degraded && row.redriven == 0);
        let body = store.fetch(row.id, PayloadKind::Body).await.unwrap().unwrap();
        assert_eq!(body, "body");
    }
    let result = store.fetch(id(4), PayloadKind::Result).await.unwrap();
    assert_eq!(result.as_deref(), Some(b"{\"a\":1".as_slice()));
    let Some(Outcome::Failure(failure)) = store.get(id(5)).await.unwrap().unwrap().outcome else {
        panic!("it failed")
    };
    assert_eq!(
        (failure.status, failure.exception.as_str()),
        (400, "ValidationException")
    );
    let call = &store.calls(id(4)).await.unwrap()[0];
    assert_eq!(call.settlement.as_ref().unwrap().charged, Tokens::new(70));
    let untold = store.next(0, 10).await.unwrap();
    assert_eq!(untold.len(), 3, "ends that were not told yet");
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_open_goes_on() {
    let dir = written_by_the_first();
    let store = open(dir.path()).unwrap().store;
    let recovered = store.recover(&lane("sonnet"), at(0)).await.unwrap();
    let waiting: Vec<_> = recovered.waiting.iter().map(|row| row.id).collect();
    assert_eq!(waiting, [id(1), id(2), id(3)]);
    assert_eq!(recovered.day.unwrap().tokens, Tokens::new(100));
    let lost = recovered.calls.iter().find(|call| call.request == id(3)).unwrap();
    assert_eq!(
        lost.settlement.as_ref().unwrap().ending,
        CallEnding::Indeterminate
    );

    store.change(id(1), release(1)).await.unwrap();
    store.change(id(1), claim(1)).await.unwrap();
    let done = settlement(1, CallEnding::Completed, 70);
    let ended = store.end(id(1), done, Some(complete(1)), None).await.unwrap();
    assert_eq!(ended.request.unwrap().state, State::Completed);
    store.insert(new(&request(7))).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let again = open(dir.path()).unwrap().store;
    assert_eq!(again.get(id(1)).await.unwrap().unwrap().state, State::Completed);
    assert_eq!(again.get(id(7)).await.unwrap().unwrap().state, State::Queued);
    let ended = again.get(id(3)).await.unwrap().unwrap();
    assert_eq!(ended.state, State::Queued);
    again.change(id(2), Change::Cancel { at: at(600) }).await.unwrap();
    again.close().await.unwrap();
}

#[tokio::test]
async fn the_upgraded_directory_is_whole_and_newer_than_before() {
    let dir = written_by_the_first();
    open(dir.path()).unwrap().store.close().await.unwrap();
    assert!(schema_of(dir.path()) > 1);
    let report = verify(dir.path()).unwrap();
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    // Nobody who failed then is a dead letter now: their callers were told so, and nothing says why.
    let store = open(dir.path()).unwrap().store;
    let dead = ListFilter {
        dead: true,
        ..ListFilter::default()
    };
    assert!(store.list(dead, None, 10).await.unwrap().requests.is_empty());
}

#[tokio::test]
async fn what_the_second_schema_added_is_read_and_what_the_third_adds_is_empty() {
    let dir = written_by_the_first();
    let conn = Connection::open(dir.path().join("smoother.db")).unwrap();
    conn.execute_batch(SECOND).unwrap();
    drop(conn);
    assert_eq!(schema_of(dir.path()), 2);
    let store = open(dir.path()).unwrap().store;
    let recovered = store.recover(&lane("sonnet"), at(0)).await.unwrap();
    assert_eq!(
        recovered.memory.breaker.open_until,
        Some(Timestamp::from_millis(5_000))
    );
    assert_eq!(recovered.waiting.len(), 3);
    assert!(recovered.waiting.iter().all(|row| row.right_size.is_none()));
    assert!(store.outputs().await.unwrap().is_empty());
    store.close().await.unwrap();
    drop(store);
    assert_eq!(schema_of(dir.path()), 3);
    assert!(verify(dir.path()).unwrap().damage.is_empty());
}
