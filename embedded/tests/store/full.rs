//! No room left.

use crate::fixture::*;
use smoother_core::lifecycle::State;
use smoother_core::ports::{Inserted, NewRequest, PayloadRef, Store, StoreError};

fn heavy(n: u64) -> NewRequest {
    NewRequest {
        request: request(n),
        body: PayloadRef::Inline(vec![9; 20_000].into()),
    }
}

#[tokio::test]
async fn a_full_store_refuses_new_requests_and_keeps_the_others() {
    let f = Fixture::with(|options| options.max_bytes = Some(1_000_000));
    let mut stored = Vec::new();
    let refused = loop {
        let n = stored.len() as u64;
        match f.store.insert(heavy(n)).await {
            Ok(outcome) => {
                assert!(matches!(outcome, Inserted::Fresh));
                stored.push(n);
            }
            Err(error) => break error,
        }
        assert!(stored.len() < 1_000, "the limit is never met");
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused}");
    let next = stored.len() as u64;
    assert_eq!(f.store.get(id(next)).await.unwrap(), None);
    assert!(!stored.is_empty());
    // The store goes on with what needs no more room.
    f.release(id(0), 1).await.unwrap();
    assert_eq!(f.claim(id(0), 1).await.unwrap().state, State::Running);

    // With room, the same request is fresh again.
    let f = f.reopened();
    for n in &stored[1..] {
        assert_eq!(f.get(id(*n)).await, request(*n));
    }
    assert!(matches!(
        f.store.insert(heavy(next)).await.unwrap(),
        Inserted::Fresh
    ));
}

#[tokio::test]
async fn writes_that_follow_a_refused_one_in_its_commit_are_told_too() {
    let f = Fixture::with(|options| options.max_bytes = Some(400_000));
    let writes: Vec<_> = (0..100)
        .map(|n| (f.store.insert(heavy(n)), f.store.change(id(n), release(1))))
        .collect();
    let mut refused = 0;
    for (n, (insert, change)) in (0..).zip(writes) {
        let (insert, change) = (insert.await, change.await);
        assert_eq!(insert.is_ok(), f.store.get(id(n)).await.unwrap().is_some());
        if insert.is_err() {
            assert!(change.is_err());
            refused += 1;
        }
    }
    assert!(refused > 0);
}
