//! What leaves when its time is over.

use crate::fixture::*;
use bytes::Bytes;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{NewRequest, Outbox, PayloadKind, Payloads, Store};

#[tokio::test]
async fn only_what_ended_before_and_was_told_is_removed() {
    let f = Fixture::new();
    for n in 0..600 {
        drop(f.store.insert(new(&request(n))));
        if n % 3 != 0 {
            let end = if n % 3 == 1 { at(10_000) } else { at(30_000) };
            drop(f.store.change(id(n), Change::Cancel { at: end }));
        }
    }
    let mut untold = request(1_000);
    untold.arrived_at = at(1);
    f.insert(&untold).await.unwrap();
    let entries = f.store.next(0, 1_000).await.unwrap();
    let last = entries.last().unwrap().seq;
    f.store.told(last).await.unwrap();
    f.store
        .change(untold.id, Change::Cancel { at: at(10_000) })
        .await
        .unwrap();

    assert_eq!(f.store.purge(at(20_000)).await.unwrap(), 200);
    for n in 0..600 {
        let left = f.store.get(id(n)).await.unwrap();
        assert_eq!(left.is_none(), n % 3 == 1, "{n}");
    }
    assert!(f.store.get(untold.id).await.unwrap().is_some());
    assert_eq!(f.store.purge(at(20_000)).await.unwrap(), 0);
}

#[tokio::test]
async fn everything_of_a_removed_request_is_gone_and_its_id_is_free() {
    let f = Fixture::new();
    let body = Bytes::from(vec![1; 100_000]);
    let body = f.store.keep(id(1), PayloadKind::Body, body).await.unwrap();
    let request = request(1);
    f.store.insert(NewRequest { request, body }).await.unwrap();
    f.release(id(1), 1).await.unwrap();
    f.claim(id(1), 1).await.unwrap();
    f.complete(id(1), 1, b"answer").await;
    let seq = f.store.next(0, 1).await.unwrap()[0].seq;
    f.store.told(seq).await.unwrap();
    assert_eq!(f.store.purge(at(60_000)).await.unwrap(), 1);
    for kind in [PayloadKind::Body, PayloadKind::Result] {
        assert_eq!(f.store.fetch(id(1), kind).await.unwrap(), None);
    }
    assert!(f.store.calls(id(1)).await.unwrap().is_empty());
    let again = f.insert(&crate::fixture::request(1)).await.unwrap();
    assert!(matches!(again, smoother_core::ports::Inserted::Fresh));
}

#[tokio::test]
async fn a_removed_request_is_gone_from_memory_too() {
    let f = Fixture::new();
    f.insert(&crate::fixture::request(1)).await.unwrap();
    f.store
        .change(id(1), Change::Cancel { at: at(10_000) })
        .await
        .unwrap();
    let seq = f.store.next(0, 1).await.unwrap()[0].seq;
    f.store.told(seq).await.unwrap();
    // A late join reads the row into the writer's memory.
    let joined = f.insert(&crate::fixture::request(1)).await.unwrap();
    assert!(matches!(joined, smoother_core::ports::Inserted::Same(_)));
    assert_eq!(f.store.purge(at(20_000)).await.unwrap(), 1);
    let again = f.insert(&crate::fixture::request(1)).await.unwrap();
    assert!(matches!(again, smoother_core::ports::Inserted::Fresh));
}
