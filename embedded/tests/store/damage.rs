//! Directories that must not be used, and are left as they were.

use crate::fixture::*;
use rusqlite::Connection;
use smoother_core::ports::{PayloadKind, Payloads, Store, StoreError};
use smoother_embedded::OpenError;
use std::path::Path;
use tempfile::TempDir;

/// The database and its log; SQLite may make an empty log in order to look.
fn contents(dir: &Path) -> [Vec<u8>; 2] {
    ["smoother.db", "smoother.db-wal"].map(|name| std::fs::read(dir.join(name)).unwrap_or_default())
}

/// A directory with rows in it, cleanly closed.
async fn written() -> TempDir {
    let f = Fixture::new();
    for n in 0..200 {
        f.insert(&request(n)).await.unwrap();
    }
    f.store.close().await.unwrap();
    f.dir
}

fn refused(dir: &Path) -> OpenError {
    let before = contents(dir);
    let error = open(dir).unwrap_err();
    assert!(contents(dir) == before, "a refused database is left as it was");
    error
}

#[tokio::test]
async fn what_is_not_a_database_is_refused() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("smoother.db"), "notes ".repeat(100)).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
    std::fs::write(dir.path().join("smoother.db"), "notes").unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn an_empty_file_is_a_new_database() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("smoother.db"), "").unwrap();
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let dir = TempDir::new().unwrap();
    let conn = Connection::open(dir.path().join("smoother.db")).unwrap();
    conn.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(conn);
    assert!(matches!(refused(dir.path()), OpenError::Foreign { .. }));
}

#[tokio::test]
async fn a_newer_schema_is_refused_naming_both() {
    let dir = written().await;
    let conn = Connection::open(dir.path().join("smoother.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let error = refused(dir.path());
    let OpenError::Newer { found: 99, known, .. } = error else {
        panic!("{error}");
    };
    let text = error.to_string();
    assert!(
        known < 99 && text.contains("99") && text.contains(&known.to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn a_torn_page_is_found_at_start() {
    let dir = written().await;
    let path = dir.path().join("smoother.db");
    let mut content = std::fs::read(&path).unwrap();
    let pages = content.len() / 4_096;
    let mut found = 0;
    for page in 2..pages {
        let whole = content.clone();
        content[page * 4_096..page * 4_096 + 64].fill(0xA5);
        std::fs::write(&path, &content).unwrap();
        found += u32::from(matches!(refused(dir.path()), OpenError::Damaged { .. }));
        content = whole;
    }
    std::fs::write(&path, &content).unwrap();
    open(dir.path()).unwrap();
    assert_eq!(found as usize, pages - 2);
}

#[tokio::test]
async fn a_file_cut_short_is_found_at_start() {
    let dir = written().await;
    let path = dir.path().join("smoother.db");
    let content = std::fs::read(&path).unwrap();
    std::fs::write(&path, &content[..content.len() / 2]).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_flipped_bit_in_a_row_is_an_error_and_not_an_answer() {
    let dir = written().await;
    let path = dir.path().join("smoother.db");
    let mut content = std::fs::read(&path).unwrap();
    // Inside the text of a row, where no page's structure would show it.
    let model = b"us.anthropic.claude-sonnet";
    for place in 0..content.len() - model.len() {
        if content[place..].starts_with(model) {
            content[place + 3] ^= 1;
        }
    }
    std::fs::write(&path, &content).unwrap();

    let opened = open(dir.path()).unwrap();
    for n in 0..200 {
        let error = opened.store.get(id(n)).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    }
    let recovered = opened.store.recover(&lane("sonnet"), at(0)).await;
    assert!(matches!(recovered, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused_naming_the_first() {
    let f = Fixture::new();
    let error = open(f.dir.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { owner, .. } if *owner == std::process::id().to_string()));
    f.insert(&request(1)).await.unwrap();
    assert_eq!(f.reopened().get(id(1)).await, request(1));
}

const PAGE: usize = 4_096;

/// Where pages of indexes have the entry of this request: its id, and after it its row's address. What a page no
/// longer uses may have it too.
fn in_the_index(content: &[u8], n: u64) -> Vec<usize> {
    // The first page begins with the file's header.
    (PAGE..content.len() - 24)
        .filter(|at| [0x02, 0x0A].contains(&content[at / PAGE * PAGE]))
        .filter(|at| content[*at..].starts_with(id(n).as_bytes()))
        .collect()
}

/// Damages the index of ids, which has no checksum: request 100 cannot be found, and 150 leads to 151.
fn damage_index(dir: &Path) {
    let path = dir.join("smoother.db");
    let mut content = std::fs::read(&path).unwrap();
    for lost in in_the_index(&content, 100) {
        content[lost + 15] ^= 1;
    }
    let other = in_the_index(&content, 151)[0];
    for one in in_the_index(&content, 150) {
        content.copy_within(other + 16..other + 24, one + 16);
    }
    std::fs::write(&path, &content).unwrap();
}

#[tokio::test]
async fn an_index_that_passes_a_row_over_is_found_at_start() {
    let dir = written().await;
    damage_index(dir.path());
    assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn an_index_that_is_damaged_later_gives_no_wrong_answer() {
    let dir = written().await;
    let opened = open(dir.path()).unwrap();
    damage_index(dir.path());
    for n in [100, 150] {
        let found = [
            opened.store.get(id(n)).await.map(drop),
            opened.store.fetch(id(n), PayloadKind::Body).await.map(drop),
        ];
        for found in found {
            assert!(matches!(found, Err(StoreError::Damaged(_))), "{n}: {found:?}");
        }
    }
    assert!(opened.store.get(id(101)).await.unwrap().is_some());
    assert!(opened.store.get(id(1_000)).await.unwrap().is_none());
}
