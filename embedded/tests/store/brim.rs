//! A real file system filled to the brim: a small tmpfs. Skipped, saying so, where mounting is not permitted.

use crate::fixture::*;
use smoother_core::ports::{NewRequest, PayloadKind, PayloadRef, Payloads, Store, StoreError};
use smoother_embedded::verify;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A file system of so many MB, gone with this value.
struct Small(TempDir);

impl Small {
    fn mounted(megabytes: u32) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(dir)),
            Ok(done) => skipped(&String::from_utf8_lossy(&done.stderr)),
            Err(error) => skipped(&error.to_string()),
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.filler())
            .unwrap();
        for size in [1 << 20, 4_096, 1] {
            let piece = vec![1; size];
            while filler.write_all(&piece).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn skipped(why: &str) -> Option<Small> {
    let said = format!("skipped: no tmpfs can be mounted here: {}\n", why.trim());
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    None
}

fn sized(n: u64, bytes: usize) -> NewRequest {
    let mut request = request(n);
    request.body_bytes = bytes as u64;
    NewRequest {
        request,
        body: PayloadRef::Inline(vec![b'x'; bytes].into()),
    }
}

/// Inserts until there is no room; gives those that were stored.
async fn until_full(store: &Arc<smoother_embedded::SqliteStore>, from: u64, bytes: usize) -> Vec<u64> {
    let mut stored = Vec::new();
    for n in from..from + 20_000 {
        match store.insert(sized(n, bytes)).await {
            Ok(_) => stored.push(n),
            Err(StoreError::Full(_)) => return stored,
            Err(other) => panic!("request {n} of {bytes} bytes, after {}: {other}", stored.len()),
        }
    }
    panic!("{} requests of {bytes} bytes fit", stored.len());
}

async fn all_there(dir: &Path, stored: &[u64]) {
    let report = verify(dir).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let opened = open(dir).unwrap();
    for n in stored {
        assert!(opened.store.get(id(*n)).await.unwrap().is_some(), "{n} is lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_filled_by_the_store_refuses_keeps_and_resumes() {
    for bytes in [100, 3_000, 60_000] {
        let Some(disk) = Small::mounted(64) else { return };
        let opened = open(&disk.data()).unwrap();
        disk.fill();
        let mut stored = until_full(&opened.store, 0, bytes).await;
        for round in 1..4 {
            assert!(matches!(
                opened.store.insert(sized(100_000, bytes)).await,
                Err(StoreError::Full(_))
            ));
            disk.make_room();
            let from = round * 200_000;
            for n in from..from + 5 {
                opened.store.insert(sized(n, bytes)).await.unwrap();
                stored.push(n);
            }
            disk.fill();
            stored.extend(until_full(&opened.store, from + 5, bytes).await);
        }
        let large = opened
            .store
            .keep(id(7), PayloadKind::Body, vec![1; 200_000].into());
        assert!(matches!(large.await, Err(StoreError::Full(_))));
        let killed = TempDir::new().unwrap();
        for name in ["smoother.mark", "smoother.db", "smoother.db-wal"] {
            std::fs::copy(disk.data().join(name), killed.path().join(name)).unwrap();
        }
        all_there(killed.path(), &stored).await;
        disk.make_room();
        opened.store.close().await.unwrap();
        drop(opened);
        all_there(&disk.data(), &stored).await;
    }
}

#[tokio::test]
async fn a_start_on_a_full_disk_names_it_and_loses_nothing() {
    let Some(disk) = Small::mounted(24) else { return };
    let opened = open(&disk.data()).unwrap();
    for n in 0..20 {
        opened.store.insert(sized(n, 3_000)).await.unwrap();
    }
    opened.store.close().await.unwrap();
    drop(opened);
    disk.fill();
    let stored: Vec<u64> = (0..20).collect();
    match open(&disk.data()) {
        Ok(_) => {}
        Err(error) => {
            let text = error.to_string();
            let place = disk.data().display().to_string();
            assert!(text.contains(&place) && text.contains("space"), "{text}");
        }
    }
    disk.make_room();
    all_there(&disk.data(), &stored).await;
    let new = disk.0.path().join("new");
    disk.fill();
    let text = open(&new).unwrap_err().to_string();
    assert!(
        text.contains(&new.display().to_string()) && text.contains("space"),
        "{text}"
    );
}
