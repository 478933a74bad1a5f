//! What a disk holds at a moment, kept to be damaged, cut short or mixed, and put down again.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use tempfile::TempDir;

/// The least that a disk writes whole.
const SECTOR: usize = 512;
/// The log's header and its generation's salts.
const LOG_HEADER: usize = 32;
/// The header of each of its frames; a page follows.
const FRAME_HEADER: usize = 24;

/// The store's files, but for payloads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    pub mark: Vec<u8>,
    pub database: Vec<u8>,
    pub log: Vec<u8>,
}

/// How much of a log is not the zeros that make room in it. A page may end in zeros of its own: the last frame is
/// kept whole.
fn used(log: &[u8]) -> usize {
    let Some(last) = log.iter().rposition(|byte| *byte != 0) else {
        return 0;
    };
    let page = u32::from_be_bytes([log[8], log[9], log[10], log[11]]) as usize;
    let frames = (last + 1)
        .saturating_sub(LOG_HEADER)
        .div_ceil(FRAME_HEADER + page);
    (LOG_HEADER + frames * (FRAME_HEADER + page)).min(log.len())
}

impl Disk {
    /// Reads what is there now; the mark first, because it must not be ahead of the log. A live store may be read
    /// while nothing is being written to it.
    pub fn read(dir: &Path) -> Self {
        let file = |name: &str| std::fs::read(dir.join(name)).unwrap_or_default();
        let (mark, database, mut log) = (
            file("smoother.mark"),
            file("smoother.db"),
            file("smoother.db-wal"),
        );
        log.truncate(used(&log));
        Self { mark, database, log }
    }

    pub fn put(&self) -> TempDir {
        let dir = TempDir::new().unwrap();
        for (name, content) in [
            ("smoother.mark", &self.mark),
            ("smoother.db", &self.database),
            ("smoother.db-wal", &self.log),
        ] {
            if !content.is_empty() {
                std::fs::write(dir.path().join(name), content).unwrap();
            }
        }
        dir
    }

    fn generation(&self) -> &[u8] {
        &self.log[16.min(self.log.len())..24.min(self.log.len())]
    }

    /// What a power cut leaves while `next` was being written over `self`: any of its sectors, and not the others.
    /// The log's header alone is synced before what follows it.
    pub fn torn(&self, next: &Self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        if self.generation() != next.generation() && random.random() {
            return Self {
                database: next.database.clone(),
                ..self.clone()
            };
        }
        let mut log = self.log.clone();
        let length = random.random_range(self.log.len().min(next.log.len())..=next.log.len().max(LOG_HEADER));
        log.resize(length.max(log.len()), 0);
        let kept = random.random_range(0.0..=1.0);
        for start in (0..log.len().min(next.log.len())).step_by(SECTOR) {
            let end = (start + SECTOR).min(log.len()).min(next.log.len());
            if random.random_bool(kept) {
                log[start..end].copy_from_slice(&next.log[start..end]);
            }
        }
        let header = LOG_HEADER.min(next.log.len());
        log[..header].copy_from_slice(&next.log[..header]);
        Self {
            mark: self.mark.clone(),
            database: next.database.clone(),
            log,
        }
    }

    /// The log damaged somewhere: bits, a stretch of zeros or noise, a lost sector, an end cut off.
    pub fn damaged(&self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut log = self.log.clone();
        let at = random.random_range(0..log.len());
        let end = (at + random.random_range(1..10_000)).min(log.len());
        match random.random_range(0..5) {
            0 => log[at] ^= 1 << random.random_range(0..8),
            1 => log[at..end].fill(0),
            2 => random.fill(&mut log[at..end]),
            3 => log.truncate(at),
            _ => {
                let sector = at / SECTOR * SECTOR;
                let end = (sector + SECTOR).min(log.len());
                log[sector..end].fill(0);
            }
        }
        Self { log, ..self.clone() }
    }
}
