//! Terminal states that cannot be told. How the others are is the conformance suite's.

use crate::fixture::*;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{Outbox, Store, StoreError};

async fn cancel(f: &Fixture, n: u64) {
    f.insert(&request(n)).await.unwrap();
    f.store.change(id(n), Change::Cancel { at: at(5) }).await.unwrap();
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
