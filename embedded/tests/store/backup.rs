//! A backup of a store that is being written to: whole, sound, and a store of its own.

use crate::fixture::*;
use crate::verify::lived;
use smoother_core::Millis;
use smoother_core::lifecycle::{Change, State};
use smoother_core::ports::{NewRequest, Outbox, PayloadKind, Payloads, Store};
use smoother_embedded::{BackupError, SqliteStore, backup, verify};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;

async fn insert(store: &SqliteStore, n: u64) {
    let mut request = request(n);
    let body = vec![b'q'; if n.is_multiple_of(3) { 100_000 } else { 3_000 }];
    request.body_bytes = body.len() as u64;
    let body = store
        .keep(request.id, PayloadKind::Body, body.into())
        .await
        .unwrap();
    store.insert(NewRequest { request, body }).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_sound_and_the_same_store() {
    let f = lived().await;
    let mut rows = Vec::new();
    for n in 0..8 {
        rows.push(f.get(id(n)).await);
    }
    let target = TempDir::new().unwrap();
    let to = target.path().join("copy");
    // Once beside the running store, once without.
    for round in 0..2 {
        let to = to.join(round.to_string());
        let copied = backup(f.dir.path(), &to).unwrap();
        assert_eq!(copied.files, 5);
        assert!(copied.database > 0);
        let report = verify(&to).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.requests, report.open, report.orphans), (8, 5, 0));
        let opened = open(&to).unwrap();
        for row in &rows {
            assert_eq!(opened.store.get(row.id).await.unwrap().as_ref(), Some(row));
        }
        let result = opened.store.fetch(id(3), PayloadKind::Result).await.unwrap();
        assert_eq!(result.unwrap().len(), 100_000);
        assert_eq!(opened.store.next(0, 10).await.unwrap().len(), 3);
        if round == 0 {
            f.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_place_that_is_taken_and_a_source_without_a_store_are_refused() {
    let f = Fixture::new();
    let target = TempDir::new().unwrap();
    std::fs::write(target.path().join("mine"), "something").unwrap();
    let error = backup(f.dir.path(), target.path()).unwrap_err();
    assert!(matches!(error, BackupError::Occupied(_)), "{error}");
    let empty = TempDir::new().unwrap();
    let error = backup(empty.path(), &target.path().join("new")).unwrap_err();
    assert!(matches!(error, BackupError::Nothing(_)), "{error}");
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_broken_backup_leaves_is_no_store() {
    let f = lived().await;
    let target = TempDir::new().unwrap();
    backup(f.dir.path(), target.path()).unwrap();
    let database = target.path().join("smoother.db");
    std::fs::rename(&database, target.path().join("smoother.db.partial")).unwrap();
    let error = open(target.path()).unwrap_err();
    assert!(error.to_string().contains("payloads/"), "{error}");
}

/// Inserts, ends, tells and purges without a pause until it is told to stop.
async fn load(store: Arc<SqliteStore>, acknowledged: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        insert(&store, n).await;
        acknowledged.store(n + 1, Ordering::Release);
        if n % 2 == 1 {
            store.change(id(n), Change::Cancel { at: at(n) }).await.unwrap();
        }
        if n % 50 == 49 {
            let last = store.next(0, 1_000).await.unwrap().last().unwrap().seq;
            store.told(last).await.unwrap();
            store.purge(at(n).before(Millis::new(20))).await.unwrap();
        }
        n += 1;
    }
}

async fn holds(to: &Path, acknowledged: u64) {
    let report = verify(to).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let opened = open(to).unwrap();
    // The ended ones may have been removed since; the others were there before the backup began.
    for n in (0..acknowledged).step_by(2) {
        let row = opened.store.get(id(n)).await.unwrap();
        assert_eq!(
            row.map(|row| row.state),
            Some(State::Queued),
            "{n} of {acknowledged}"
        );
        assert!(
            opened
                .store
                .fetch(id(n), PayloadKind::Body)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_what_was_acknowledged_before_it_began() {
    let f = Fixture::new();
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn(load(Arc::clone(&f.store), acknowledged.clone(), stop.clone()));
    let target = TempDir::new().unwrap();
    let mut made = Vec::new();
    for round in 0..4 {
        let floor = (round + 1) * 60;
        while acknowledged.load(Ordering::Acquire) < floor {
            tokio::task::yield_now().await;
        }
        let (from, to) = (f.dir.path().to_owned(), target.path().join(round.to_string()));
        let before = acknowledged.load(Ordering::Acquire);
        let copy = to.clone();
        tokio::task::spawn_blocking(move || backup(&from, &copy))
            .await
            .unwrap()
            .unwrap();
        made.push((to, before));
    }
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    for (to, before) in made {
        holds(&to, before).await;
    }
}
