//! The log after crashes and after damage: everything acknowledged is there, or the start is refused. Never less
//! without a word.

use crate::disk::Disk;
use crate::fixture::*;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use smoother_core::ports::{NewRequest, PayloadRef, Store};
use smoother_embedded::{OpenError, SqliteStore};
use std::path::Path;

fn sized(n: u64, bytes: usize) -> NewRequest {
    NewRequest {
        request: request(n),
        body: PayloadRef::Inline(vec![b'x'; bytes].into()),
    }
}

/// One commit of some requests, acknowledged; now and then the log is copied back before it, so that it begins anew.
async fn commit(store: &SqliteStore, dir: &Path, next: &mut u64, random: &mut SmallRng) {
    if random.random_bool(0.2) {
        let conn = rusqlite::Connection::open(dir.join("smoother.db")).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .unwrap();
    }
    let count = random.random_range(1..4);
    let inserts: Vec<_> = (0..count)
        .map(|n| store.insert(sized(*next + n, random.random_range(10..30_000))))
        .collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    *next += count;
}

/// How many requests, from the first, the store has without a gap; nothing may come behind a gap.
async fn held(store: &SqliteStore, most: u64) -> u64 {
    let mut held = 0;
    for n in 0..most {
        if store.get(id(n)).await.unwrap().is_some() {
            assert_eq!(held, n, "request {n} is there, one before it is not");
            held += 1;
        }
    }
    held
}

/// Commits one after the other: what the disk held after each, and how many requests were acknowledged by then.
async fn history(commits: usize, random: &mut SmallRng) -> Vec<(Disk, u64)> {
    let f = Fixture::new();
    let mut next = 0;
    let mut disks = Vec::new();
    for _ in 0..commits {
        commit(&f.store, f.dir.path(), &mut next, random).await;
        disks.push((Disk::read(f.dir.path()), next));
    }
    disks
}

fn on_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}

/// Power cuts, one after the other, each in the middle of a commit.
async fn power_cuts(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut f = Fixture::new();
    let mut next = 0;
    let mut marks = vec![Vec::new()];
    for _ in 0..3 {
        let mut acknowledged = next;
        let mut before = Disk::read(f.dir.path());
        for _ in 0..random.random_range(1..4) {
            before = Disk::read(f.dir.path());
            marks.push(before.mark.clone());
            acknowledged = next;
            commit(&f.store, f.dir.path(), &mut next, &mut random).await;
        }
        let mut torn = before.torn(&Disk::read(f.dir.path()), random.random());
        // The system writes the mark when it likes.
        torn.mark = marks[random.random_range(0..marks.len())].clone();
        let dir = torn.put();
        let opened = open(dir.path()).unwrap_or_else(|error| panic!("after a mere power cut: {error}"));
        let found = held(&opened.store, next).await;
        assert!(
            found == acknowledged || found == next,
            "{found} of {acknowledged} to {next}"
        );
        next = found;
        f.store = opened.store;
        f.dir = dir;
    }
}

/// Damage in the log of a process that was killed: its mark is exact.
async fn damage_after_a_kill(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let history = history(6, &mut random).await;
    let (disk, acknowledged) = history.last().unwrap();
    for _ in 0..6 {
        let damaged = disk.damaged(random.random());
        let dir = damaged.put();
        match open(dir.path()) {
            Ok(opened) => assert_eq!(held(&opened.store, *acknowledged).await, *acknowledged),
            Err(error) => {
                assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
                assert!(Disk::read(dir.path()).log.starts_with(&trimmed(&damaged.log)));
                assert_eq!(Disk::read(dir.path()).database, damaged.database);
            }
        }
    }
}

fn trimmed(log: &[u8]) -> Vec<u8> {
    let used = log.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    log[..used].to_vec()
}

/// Damage of a log whose mark is older, or lost: what the mark knew of is there; and of one flipped bit not more than
/// the last two commits can be taken for a torn end.
async fn damage_after_a_power_cut(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let history = history(6, &mut random).await;
    let (disk, acknowledged) = history.last().unwrap();
    for _ in 0..6 {
        let known = random.random_range(0..=history.len());
        let (mark, known) = match history.get(known) {
            Some((old, acknowledged)) => (old.mark.clone(), *acknowledged),
            None => (Vec::new(), 0),
        };
        let damaged = Disk {
            mark: mark.clone(),
            ..disk.damaged(random.random())
        };
        if let Ok(opened) = open(damaged.put().path()) {
            let found = held(&opened.store, *acknowledged).await;
            assert!(found >= known, "{found} of {known} that the mark knew of");
        }
        let mut flipped = Disk { mark, ..disk.clone() };
        let at = random.random_range(0..flipped.log.len());
        flipped.log[at] ^= 1 << random.random_range(0..8);
        if let Ok(opened) = open(flipped.put().path()) {
            let found = held(&opened.store, *acknowledged).await;
            let before_last_two = history[history.len() - 3].1;
            assert!(
                found >= before_last_two,
                "{found} of {before_last_two}, byte {at}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn power_cuts_lose_nothing_acknowledged_and_are_no_damage(seed: u64) {
        on_runtime(power_cuts(seed));
    }

    #[test]
    fn a_damaged_log_is_refused_or_holds_everything(seed: u64) {
        on_runtime(damage_after_a_kill(seed));
    }

    #[test]
    fn a_damaged_log_holds_at_least_what_its_mark_knew(seed: u64) {
        on_runtime(damage_after_a_power_cut(seed));
    }
}

fn refused(disk: &Disk, word: &str) {
    let dir = disk.put();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("smoother.db-wal") && text.contains(word), "{text}");
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(Disk::read(dir.path()), *disk, "a refused log is left as it was");
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_with_and_without_the_mark() {
    let history = history(6, &mut SmallRng::seed_from_u64(3)).await;
    let (disk, _) = history.last().unwrap();
    let mut damaged = disk.clone();
    damaged.log[200] ^= 0x40;
    refused(&damaged, "frame 1 ");
    damaged.mark.clear();
    refused(&damaged, "frame 1 ");
    let mut headless = disk.clone();
    headless.log[20] ^= 1;
    refused(&headless, "header");
}

#[tokio::test]
async fn a_log_cut_short_or_gone_is_refused_by_its_mark() {
    let history = history(3, &mut SmallRng::seed_from_u64(5)).await;
    let (disk, _) = history.last().unwrap();
    let mut cut = disk.clone();
    cut.log.truncate(disk.log.len() - 5_000);
    refused(&cut, "were committed");
    cut.log.clear();
    refused(&cut, "missing");
    // A mark that cannot be read claims nothing: it guards the log and holds no data.
    let mut disk = disk.clone();
    disk.mark[9] ^= 1;
    open(disk.put().path()).unwrap();
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_begun_anew_beside_what_it_left() {
    let history = history(2, &mut SmallRng::seed_from_u64(7)).await;
    let mut disk = history[1].0.clone();
    disk.database.clear();
    disk.mark.clear();
    let dir = disk.put();
    for empty in [false, true] {
        if empty {
            std::fs::write(dir.path().join("smoother.db"), "").unwrap();
        }
        let error = open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("its log"), "{error}");
    }
    assert_eq!(Disk::read(dir.path()), disk);

    let dir = Disk::default().put();
    let shard = dir.path().join("payloads/07");
    std::fs::create_dir_all(&shard).unwrap();
    std::fs::create_dir_all(dir.path().join("payloads/tmp")).unwrap();
    std::fs::write(dir.path().join("payloads/tmp/half"), "half a body").unwrap();
    open(dir.path()).unwrap().store.close().await.unwrap();
    for name in ["smoother.db", "smoother.db-wal"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::write(shard.join("a.body"), "a body").unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("payloads/"), "{error}");
    assert!(!dir.path().join("smoother.db").exists());
}

#[tokio::test]
async fn a_clean_end_leaves_no_log_and_no_claim() {
    let f = Fixture::new();
    for n in 0..5 {
        f.insert(&request(n)).await.unwrap();
    }
    f.store.close().await.unwrap();
    let closed = Disk::read(f.dir.path());
    assert!(closed.log.is_empty());
    let dir = closed.put();
    let opened = open(dir.path()).unwrap();
    assert_eq!(held(&opened.store, 5).await, 5);
}

#[tokio::test]
async fn a_store_that_had_to_stop_keeps_its_log() {
    let mut f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    let conn = rusqlite::Connection::open(f.dir.path().join("smoother.db")).unwrap();
    conn.execute_batch("DROP TABLE outbox").unwrap();
    let cancel = smoother_core::Change::Cancel { at: at(5) };
    f.store.change(id(1), cancel).await.unwrap_err();
    (&mut f.fatal).await;
    drop(f.store);
    assert!(!Disk::read(f.dir.path()).log.is_empty());
    drop(conn);
    let error = open(f.dir.path()).err().map(|error| error.to_string());
    assert!(
        error.is_some_and(|text| text.contains("smoother.db")),
        "a table is missing"
    );
}
