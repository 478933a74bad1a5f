//! Payloads, small and large.

use crate::fixture::*;
use bytes::Bytes;
use smoother_core::RequestId;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{Inserted, NewRequest, PayloadKind, PayloadRef, Payloads, Store, StoreError};
use std::path::{Path, PathBuf};

fn large(fill: u8) -> Bytes {
    vec![fill; 300_000].into()
}

async fn insert_large(f: &Fixture, n: u64, fill: u8) -> Inserted {
    let mut request = request(n);
    request.body_hash = [fill; 32];
    let body = f
        .store
        .keep(request.id, PayloadKind::Body, large(fill))
        .await
        .unwrap();
    assert!(matches!(body, PayloadRef::Held { bytes: 300_000, .. }));
    f.store.insert(NewRequest { request, body }).await.unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let shards = std::fs::read_dir(dir.join("payloads")).unwrap();
    shards
        .flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

async fn body(f: &Fixture, id: RequestId) -> Bytes {
    f.store.fetch(id, PayloadKind::Body).await.unwrap().unwrap()
}

#[tokio::test]
async fn large_payloads_go_to_files_and_come_back_after_a_restart() {
    let f = Fixture::new();
    insert_large(&f, 1, 1).await;
    f.release(id(1), 1).await.unwrap();
    f.claim(id(1), 1).await.unwrap();
    assert_eq!(body(&f, id(1)).await, large(1));
    let result = f.store.keep(id(1), PayloadKind::Result, large(2)).await.unwrap();
    let settled = settlement(1, CallEnding::Completed, 1);
    f.store
        .end(id(1), settled, Some(complete(1)), Some(result))
        .await
        .unwrap();

    let f = f.reopened();
    assert_eq!(body(&f, id(1)).await, large(1));
    let result = f.store.fetch(id(1), PayloadKind::Result).await.unwrap();
    assert_eq!(result.unwrap(), large(2));
    assert_eq!(files(f.dir.path()).len(), 2);
}

#[tokio::test]
async fn small_payloads_make_no_files() {
    let f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    assert_eq!(body(&f, id(1)).await, format!("body of {}", id(1)));
    assert!(files(f.dir.path()).is_empty());
    assert_eq!(body(&f.reopened(), id(1)).await, format!("body of {}", id(1)));
}

#[tokio::test]
async fn a_file_that_no_row_came_to_name_goes() {
    let f = Fixture::new();
    insert_large(&f, 1, 1).await;
    assert!(matches!(insert_large(&f, 1, 1).await, Inserted::Same(_)));
    assert!(matches!(insert_large(&f, 1, 2).await, Inserted::Conflict));
    f.store.change(id(1), Change::Cancel { at: at(5) }).await.unwrap();
    assert_eq!(files(f.dir.path()).len(), 1);
    assert_eq!(body(&f, id(1)).await, large(1));
}

#[tokio::test]
async fn a_damaged_or_missing_file_is_an_error_and_not_an_answer() {
    let f = Fixture::new();
    insert_large(&f, 1, 1).await;
    let file = files(f.dir.path()).remove(0);
    let mut content = std::fs::read(&file).unwrap();
    content[1_000] ^= 1;
    std::fs::write(&file, content).unwrap();
    let damaged = f.store.fetch(id(1), PayloadKind::Body).await.unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged}");
    std::fs::remove_file(&file).unwrap();
    let missing = f.store.fetch(id(1), PayloadKind::Body).await.unwrap_err();
    assert!(matches!(missing, StoreError::Damaged(_)), "{missing}");
}

#[tokio::test]
async fn a_payload_file_that_cannot_be_written_stops_the_store() {
    let mut f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    // No shard can be made: something else has its name.
    let shard = f
        .dir
        .path()
        .join(format!("payloads/{:02x}", id(2).as_bytes()[15]));
    std::fs::write(&shard, "in the way").unwrap();
    let failed = f
        .store
        .keep(id(2), PayloadKind::Body, large(1))
        .await
        .unwrap_err();
    assert!(
        matches!(&failed, StoreError::Failed(text) if text.contains("payload file")),
        "{failed}"
    );
    assert_eq!((&mut f.fatal).await, failed);
    assert_eq!(f.insert(&request(3)).await.unwrap_err(), failed);
    assert!(
        std::fs::read_dir(f.dir.path().join("payloads/tmp"))
            .unwrap()
            .next()
            .is_none()
    );
    std::fs::remove_file(shard).unwrap();
    assert_eq!(f.reopened().get(id(1)).await, request(1));
}
