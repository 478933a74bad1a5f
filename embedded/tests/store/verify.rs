//! `verify`: what is whole is found whole, and what is not is named.

use crate::disk::Disk;
use crate::fixture::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{NewRequest, PayloadKind, Payloads, Store};
use smoother_core::{CallNo, ModelHead, Outcome, Request};
use smoother_embedded::{OpenError, Report, VerifyError, verify};
use std::fs;
use std::path::{Path, PathBuf};

const LARGE: usize = 100_000;

async fn insert(f: &Fixture, n: u64, bytes: usize) -> Request {
    let mut request = request(n);
    request.body_bytes = bytes as u64;
    let body = vec![b'q'; bytes].into();
    let body = f.store.keep(request.id, PayloadKind::Body, body).await.unwrap();
    let new = NewRequest {
        request: request.clone(),
        body,
    };
    f.store.insert(new).await.unwrap();
    request
}

async fn complete(f: &Fixture, n: u64, call: u32, bytes: usize) {
    let result = f
        .store
        .keep(id(n), PayloadKind::Result, vec![b'a'; bytes].into())
        .await
        .unwrap();
    let change = Change::Complete {
        call: CallNo::new(call),
        answer: Outcome::Answer {
            head: ModelHead::default(),
            usage: None,
            bytes: bytes as u64,
        },
        first_output_at: None,
        at: at(300),
    };
    let settled = settlement(call, CallEnding::Completed, 70);
    let report = f.store.end(id(n), settled, Some(change), Some(result)).await;
    report.unwrap().request.unwrap();
}

/// Requests in every state, some with large payloads, one called twice.
pub async fn lived() -> Fixture {
    let f = Fixture::new();
    for n in 0..8 {
        insert(&f, n, if n % 2 == 0 { 40 } else { LARGE }).await;
    }
    for n in 1..6 {
        f.release(id(n), 1).await.unwrap();
    }
    for n in 2..6 {
        f.claim(id(n), 1).await.unwrap();
    }
    complete(&f, 3, 1, LARGE).await;
    complete(&f, 4, 1, 12).await;
    f.store.change(id(5), requeue(1)).await.unwrap();
    f.release(id(5), 2).await.unwrap();
    f.claim(id(5), 2).await.unwrap();
    f.store
        .change(id(6), Change::Cancel { at: at(400) })
        .await
        .unwrap();
    f
}

fn damage(dir: &Path) -> Vec<String> {
    verify(dir).unwrap().damage
}

#[tokio::test]
async fn what_lived_is_sound_with_its_log_and_without() {
    let f = lived().await;
    let expected = Report {
        requests: 8,
        open: 5,
        calls: 5,
        payloads: 10,
        ..Report::default()
    };
    let error = verify(f.dir.path()).unwrap_err();
    assert!(
        matches!(error, VerifyError::Open(OpenError::Locked { .. })),
        "{error}"
    );
    drop(f.store);
    assert_eq!(verify(f.dir.path()).unwrap(), expected);
    fs::write(f.dir.path().join("payloads/07/left.behind"), "an orphan").unwrap_or_else(|_| {
        fs::create_dir(f.dir.path().join("payloads/07")).unwrap();
        fs::write(f.dir.path().join("payloads/07/left.behind"), "an orphan").unwrap();
    });
    let report = verify(f.dir.path()).unwrap();
    assert_eq!((report.orphans, report.is_sound()), (1, true));
}

#[tokio::test]
async fn a_directory_without_a_database_is_no_sound_one() {
    let dir = tempfile::TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    for dir in [dir.path(), &missing] {
        assert!(matches!(verify(dir).unwrap_err(), VerifyError::Nothing(_)));
    }
    assert!(!missing.exists());
}

#[tokio::test]
async fn each_kind_of_contradiction_is_named() {
    for (wrong, word) in [
        ("UPDATE requests SET open = NULL WHERE id = ?1", "columns"),
        ("UPDATE requests SET lane = 'other' WHERE id = ?1", "columns"),
        ("UPDATE requests SET sum = sum + 1 WHERE id = ?1", "checksum"),
        (
            "DELETE FROM bodies WHERE place = (SELECT place FROM requests WHERE id = ?1)",
            "no body",
        ),
        (
            "DELETE FROM calls WHERE place = (SELECT place FROM requests WHERE id = ?1)",
            "0 are stored",
        ),
        (
            "UPDATE calls SET settled = 1 - settled WHERE place = (SELECT place FROM requests WHERE id = ?1)",
            "call 1",
        ),
        (
            "UPDATE calls SET sum = sum + 1 WHERE place = (SELECT place FROM requests WHERE id = ?1)",
            "checksum",
        ),
        (
            "DELETE FROM events WHERE rev > 1 AND place = (SELECT place FROM requests WHERE id = ?1)",
            "version",
        ),
        ("DELETE FROM requests WHERE id = ?1", "belong to no request"),
    ] {
        let f = lived().await;
        f.store.close().await.unwrap();
        let conn = Connection::open(f.dir.path().join("smoother.db")).unwrap();
        let changed = conn.execute(wrong, [id(2).as_bytes().as_slice()]).unwrap();
        assert!(changed > 0, "{wrong}");
        drop(conn);
        drop(f.store);
        let found = damage(f.dir.path());
        assert!(found.iter().any(|line| line.contains(word)), "{wrong}: {found:?}");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("smoother.lock") && !path.ends_with("smoother.db-shm") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy_all(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

/// A flipped bit in any file: verify names it, or it was in what nobody reads; and a start refuses, or loses nothing.
#[tokio::test]
async fn one_flipped_bit_anywhere_is_found_or_does_no_harm() {
    let f = lived().await;
    let killed = tempfile::TempDir::new().unwrap();
    copy_all(f.dir.path(), killed.path());
    drop(f.store);
    let sound = verify(f.dir.path()).unwrap();
    assert!(sound.is_sound(), "{sound:?}");
    let seed = 11;
    let mut random = SmallRng::seed_from_u64(seed);
    for round in 0..120 {
        let dir = tempfile::TempDir::new().unwrap();
        let from = if round % 2 == 0 { &f.dir } else { &killed };
        copy_all(from.path(), dir.path());
        let mut files = files(dir.path());
        files.retain(|file| fs::metadata(file).unwrap().len() > 0);
        let file = &files[random.random_range(0..files.len())];
        let mut content = fs::read(file).unwrap();
        let used = content
            .chunks(512)
            .rposition(|c| c.iter().any(|b| *b != 0))
            .map_or(1, |n| n * 512 + 1);
        let bit = random.random_range(0..used * 8);
        content[bit / 8] ^= 1 << (bit % 8);
        fs::write(file, &content).unwrap();
        let what = format!("seed {seed}, round {round}, {} bit {bit}", file.display());

        let found = verify(dir.path());
        let named = !matches!(&found, Ok(report) if *report == sound);
        match open(dir.path()) {
            Err(_) => assert!(named, "{what}: refused, and verify says nothing"),
            Ok(opened) => {
                for n in 0..8 {
                    let body = opened.store.fetch(id(n), PayloadKind::Body).await;
                    let row = opened.store.get(id(n)).await;
                    let lost = matches!(row, Ok(None)) || matches!(body, Ok(None));
                    assert!(!lost, "{what}: request {n} is gone without a word");
                    if let Ok(Some(body)) = body {
                        assert!(body.iter().all(|byte| *byte == b'q'), "{what}: another body");
                    } else {
                        assert!(named, "{what}: verify does not see what a read does");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn damage_of_the_log_and_of_its_mark_is_named() {
    let f = lived().await;
    let disk = Disk::read(f.dir.path());
    let mut broken = disk.clone();
    broken.log[300] ^= 1;
    let dir = broken.put();
    assert!(damage(dir.path())[0].contains("smoother.db-wal"));
    let mut marked = disk;
    marked.mark[12] ^= 1;
    let dir = marked.put();
    assert!(damage(dir.path())[0].contains("smoother.mark"));
}
