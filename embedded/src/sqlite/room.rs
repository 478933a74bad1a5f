//! Room for the write-ahead log, made before it is needed.
//!
//! A commit that makes the log's file longer also waits for the file system's own journal, because the file's size
//! has changed. So the file is given its usual size in advance. SQLite reads a log up to the first frame whose
//! checksum is wrong, and zeros are no frame; it begins the log anew at its start after a checkpoint.

use super::checkpoint::PAGES;
use super::log::log_path;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// A page of the log, with its header and some room for what is written while a checkpoint runs.
const BYTES: u64 = PAGES * 5 * 1024;
const PIECE: usize = 1 << 20;
/// The index of 48,000 frames: half as many again as a log may have before the writer is held up for it.
const INDEX_BYTES: u64 = 12 * 32 * 1024;

/// Makes the log of `database` long enough. It must be open in this process, with nobody writing. A disk without
/// that much room is no error: the log then grows as it goes. Any other error is one, the sync's above all.
pub(super) fn make(database: &Path) -> io::Result<()> {
    match extend(&log_path(database)) {
        Err(error) if is_full(&error) => {
            tracing::debug!(%error, "no room was made for the log in advance");
            Ok(())
        }
        done => done,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Room for the log's index, `smoother.db-shm`: SQLite makes it longer while it commits, after the log was written,
/// where a full disk would leave a commit half told. Gives the file, which must stay open for as long as SQLite has
/// it: closing any descriptor of a file gives up all of a process's locks on it.
pub(super) fn make_for_index(database: &Path) -> io::Result<File> {
    let mut index = database.as_os_str().to_owned();
    index.push("-shm");
    let mut file = OpenOptions::new().append(true).open(Path::new(&index))?;
    let missing = INDEX_BYTES.saturating_sub(file.metadata()?.len());
    let zeros = vec![0; usize::try_from(missing).unwrap_or(0)];
    if let Err(error) = file.write_all(&zeros) {
        tracing::debug!(%error, "no room was made for the log's index in advance");
    }
    Ok(file)
}

fn extend(log: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(log)?;
    let before = file.metadata()?.len();
    fill(&mut file, before).inspect_err(|_| {
        // What was there stays; the zeros behind it only take room that others may need.
        if let Err(error) = file.set_len(before) {
            tracing::warn!(%error, "the log could not be made short again");
        }
    })
}

fn fill(file: &mut File, mut bytes: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    while bytes < BYTES {
        file.write_all(&zeros)?;
        bytes += PIECE as u64;
    }
    file.sync_all()
}
