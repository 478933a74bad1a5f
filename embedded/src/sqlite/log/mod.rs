//! Whether the write-ahead log still holds what was committed, found out before SQLite reads it.
//!
//! SQLite reads its log up to the first frame that does not fit and takes that for the end. After a crash it often
//! is: a transaction was being written, and nobody was told of it. But a damaged byte in the middle looks the
//! same to it, and everything behind it would be dropped without a word, though it was acknowledged. Two things
//! tell the one from the other.
//!
//! **The frames behind.** A frame's checksum goes on from the checksum stored in the frame before it, so a frame
//! can be verified from its neighbour even behind a bad one. The writer appends a transaction, syncs, and only
//! then appends the next (`synchronous=FULL`; one writer). So a frame that goes on from a *commit* frame was written
//! after that commit was durable, and with it everything before it. If such a pair stands behind a bad frame,
//! the bad frame was durable once: damage. What a crash leaves by itself never looks like that:
//! - A torn last transaction may have lost any of its pages and kept any others, its commit frame too. But nothing
//!   goes on from that commit frame.
//! - Frames of an earlier generation of the log have other salts. Zeros (the log is given its length in advance) are
//!   no frames.
//! - Frames that a rolled back or torn transaction left behind a newer, shorter one go on from a commit frame
//!   only within their own chain, and a rolled back transaction has none.
//! - What a process left unsynced when it was killed is taken over by the next one. It is written once more and
//!   synced, before anything is appended to it, so that the rule holds across processes. To sync it alone would not
//!   do: where a sync has failed, the system may hold pages that the disk does not have, and take them for written
//!   ([Rebello et al., Can Applications Recover from fsync Failures?, ATC 2020]).
//!
//! The header is synced before the first frame of its generation, so a log with frames and without a header is
//! damaged.
//!
//! **The mark.** `smoother.mark` says how far the log was durable: generation, number of frames, checksum of the last.
//! It is written after each commit and before anybody is told of it, but not synced. So it is at most behind the
//! log, never ahead, whatever a crash loses. With it a cut-off or zeroed end is seen too. Only what is written
//! between two of its own write-backs by the system (some 30 s) can be lost to a power cut *together with* the
//! mark's news of it; if within that time the very end of the log was damaged as well, and no later transaction
//! stands behind the damage, then the two cannot be told apart. After a mere crash of the process the mark is
//! exact. Before the log is emptied the mark is withdrawn, durably, and SQLite is kept from emptying the log by
//! itself when a connection closes.
//!
//! [Rebello et al., Can Applications Recover from fsync Failures?, ATC 2020]: https://www.usenix.org/conference/atc20/presentation/rebello

mod frames;
mod mark;
mod scan;

pub(super) use mark::{Mark, path as mark_path};

use super::OpenError;
use super::ownership::io;
use frames::{FRAME_HEADER, Frame, HEADER};
use mark::{Claim, Said};
use scan::{Log, Readable, scan};
use std::fs::File;
use std::io::{self as std_io, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The log of a database.
pub(super) fn log_path(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Refuses a log that no longer holds what was committed. Changes nothing. Gives the bytes that it takes.
pub(super) fn check(database: &Path, mark: &Path) -> Result<u64, OpenError> {
    let said = mark::read(mark).map_err(|cause| io(mark, cause))?;
    let claim = match said {
        Said::Claim(claim) => Some(claim),
        Said::Nothing => None,
        Said::Unreadable => {
            tracing::warn!(path = %mark.display(), "the log's mark is damaged; the log is checked without it");
            None
        }
    };
    let path = log_path(database);
    let found = look(&path, claim).map_err(|cause| io(&path, cause))?;
    judge(&found, claim).map_err(|cause| OpenError::Damaged { path, cause })?;
    Ok(match found {
        Log::Readable(found) => found.bytes,
        Log::Empty | Log::Headless | Log::Broken { .. } => 0,
    })
}

/// Writes the log's first `bytes` once more, as they are, and syncs them.
pub(super) fn renew(database: &Path, bytes: u64) -> Result<(), OpenError> {
    if bytes == 0 {
        return Ok(());
    }
    let path = log_path(database);
    match rewrite(&path, bytes) {
        // Only where writing over a file takes room; what is there was synced as it is.
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            tracing::warn!(path = %path.display(), %error, "no room to write the log once more");
            Ok(())
        }
        done => done.map_err(|cause| io(&path, cause)),
    }
}

fn rewrite(path: &Path, bytes: u64) -> std_io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let (mut at, mut piece) = (0, vec![0; 1 << 20]);
    while at < bytes {
        let length = usize::try_from(bytes - at).map_or(piece.len(), |left| left.min(piece.len()));
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut piece[..length])?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&piece[..length])?;
        at += length as u64;
    }
    file.sync_all()
}

/// Whether a mark, if there is one, reads back as it was written.
pub(super) fn is_readable(mark: &Path) -> Result<bool, OpenError> {
    let said = mark::read(mark).map_err(|cause| io(mark, cause))?;
    Ok(said != Said::Unreadable)
}

fn look(path: &Path, claim: Option<Claim>) -> std_io::Result<Log> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Empty),
        Err(error) => return Err(error),
    };
    file.sync_all()?;
    scan(&file, claim.map_or(0, |claim| u64::from(claim.frames)))
}

fn judge(found: &Log, claim: Option<Claim>) -> Result<(), String> {
    let found = match (found, claim) {
        (Log::Empty, None) => return Ok(()),
        (Log::Empty, Some(claim)) => {
            return Err(format!(
                "it is empty or missing, and {} frames of it were committed",
                claim.frames
            ));
        }
        (Log::Headless, _) => {
            return Err("its header is damaged; SQLite would drop what is committed behind it".to_owned());
        }
        (Log::Broken { bad, proof }, _) => {
            return Err(format!(
                "frame {bad} does not match its checksum, and frame {proof} was committed after it"
            ));
        }
        (Log::Readable(found), _) => found,
    };
    claim.map_or(Ok(()), |claim| holds(found, claim))
}

/// Whether the log has what was claimed of it.
fn holds(found: &Readable, claim: Claim) -> Result<(), String> {
    if found.salts == claim.salts {
        return if found.asked == Some(claim.sum) {
            Ok(())
        } else {
            Err(format!(
                "{} frames of it can be read, and {} were committed",
                found.committed, claim.frames
            ))
        };
    }
    // Each time the log begins anew, the first salt is one more.
    let first = |salts: [u8; 8]| u32::from_be_bytes([salts[0], salts[1], salts[2], salts[3]]);
    match first(found.salts).wrapping_sub(first(claim.salts)) {
        1..0x8000_0000 => Ok(()),
        _ => Err(
            "it is not the log that smoother.mark tells of; put back all files of one backup, and only \
                  those"
                .to_owned(),
        ),
    }
}

/// Keeps the mark up with the log.
#[derive(Debug)]
pub(super) struct Follower {
    log: File,
    page: u64,
    mark: Arc<Mark>,
    failing: bool,
}

impl Follower {
    pub fn new(database: &Path, page: u64, mark: Arc<Mark>) -> std_io::Result<Self> {
        Ok(Self {
            log: File::open(log_path(database))?,
            page,
            mark,
            failing: false,
        })
    }

    /// So many frames of the log are committed and durable.
    pub fn committed(&mut self, frames: u32) {
        let outcome = self.follow(frames);
        // The mark then stays behind, where it does no harm.
        if let Err(error) = &outcome
            && !self.failing
        {
            tracing::warn!(%error, "the log's mark could not be written; damage at the log's end may go unseen");
        }
        self.failing = outcome.is_err();
    }

    fn follow(&mut self, frames: u32) -> std_io::Result<()> {
        let size = FRAME_HEADER as u64 + self.page;
        let last = HEADER as u64 + u64::from(frames.saturating_sub(1)) * size;
        self.log.seek(SeekFrom::Start(last))?;
        let mut head = [0; FRAME_HEADER];
        self.log.read_exact(&mut head)?;
        let frame = Frame::read(&head);
        self.mark.set(Claim {
            salts: frame.salts,
            frames,
            sum: frame.sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frames::made::Log as Made;

    fn log(salt: u32) -> Made {
        let mut log = Made::new(salt);
        log.transaction(2, 1);
        log.transaction(2, 2);
        log
    }

    fn claim(log: &Made, frames: u32) -> Claim {
        let at = Made::frame(frames as usize);
        let mut head = [0; FRAME_HEADER];
        head.copy_from_slice(&log.bytes[at..at + FRAME_HEADER]);
        let frame = Frame::read(&head);
        Claim {
            salts: frame.salts,
            frames,
            sum: frame.sum,
        }
    }

    fn verdict(bytes: &[u8], claim: Claim) -> Result<(), String> {
        let found = scan(bytes, u64::from(claim.frames)).unwrap();
        judge(&found, Some(claim))
    }

    #[test]
    fn a_log_may_have_more_than_its_mark_says_and_not_less() {
        let log = log(5);
        for frames in [2, 4] {
            verdict(&log.bytes, claim(&log, frames)).unwrap();
        }
        for cut in 0..log.bytes.len() {
            verdict(&log.bytes[..cut], claim(&log, 4)).unwrap_err();
        }
        let mut zeroed = log.bytes.clone();
        zeroed[Made::frame(4)..].fill(0);
        verdict(&zeroed, claim(&log, 4)).unwrap_err();
        verdict(&zeroed, claim(&log, 2)).unwrap();
    }

    #[test]
    fn another_transaction_in_the_place_of_the_marked_one_is_damage() {
        let log = log(5);
        let mut other = log.branch(2);
        other.transaction(2, 3);
        verdict(&other.bytes, claim(&log, 4)).unwrap_err();
    }

    #[test]
    fn a_later_generation_of_the_log_owes_nothing_to_an_older_mark() {
        let marked = log(5);
        for salt in [6, 7, 5 + 0x7FFF_FFFF] {
            verdict(&log(salt).bytes, claim(&marked, 4)).unwrap();
        }
        for salt in [4, 5 + 0x8000_0000] {
            verdict(&log(salt).bytes, claim(&marked, 4)).unwrap_err();
        }
    }
}
