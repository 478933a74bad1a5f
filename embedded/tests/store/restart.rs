//! What an open store says of its time and of its end. What a lane finds after a restart is the conformance suite's.

use crate::fixture::*;
use smoother_core::Timestamp;
use smoother_core::ports::Outbox;

#[tokio::test]
async fn the_clock_is_told_of_the_newest_stored_time() {
    let f = Fixture::new();
    assert_eq!(f.opened_at, Timestamp::EPOCH);
    f.clock.0.fetch_add(5_000, std::sync::atomic::Ordering::Relaxed);
    f.insert(&request(1)).await.unwrap();
    let f = f.reopened();
    assert!(f.opened_at >= at(5_000));
    assert!(f.opened_at < at(6_000));
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_closed() {
    let f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    let reader = tokio::spawn({
        let store = f.store.clone();
        async move { store.next(0, 1).await.map(|_| ()) }
    });
    f.store.close().await.unwrap();
    assert_eq!(
        reader.await.unwrap(),
        Err(smoother_core::ports::StoreError::Closed)
    );
    assert_eq!(
        f.insert(&request(2)).await.unwrap_err(),
        smoother_core::ports::StoreError::Closed
    );
    assert_eq!(f.reopened().get(id(1)).await, request(1));
}
