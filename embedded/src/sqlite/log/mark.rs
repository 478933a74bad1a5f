//! How far the log is known to be durable, kept beside it.

use super::frames::{Salts, Sum};
use crate::lock;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// "BSmk" and the version of the record.
const MAGIC: [u8; 8] = *b"BSmk\0\0\0\x01";
const BYTES: usize = 40;

/// The log of this generation was durable up to this frame, whose checksum is this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub salts: Salts,
    pub frames: u32,
    pub sum: Sum,
}

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: the log was left empty, or there never was a mark.
    Nothing,
    /// This much must be there.
    Claim(Claim),
    /// It does not read back as it was written. It claims nothing, since it guards the log and holds no data.
    Unreadable,
}

/// The mark's file, open for writing.
#[derive(Debug)]
pub(in crate::sqlite) struct Mark(Mutex<File>);

/// Where the mark of a data directory is.
pub(in crate::sqlite) fn path(dir: &Path) -> PathBuf {
    dir.join("smoother.mark")
}

/// Reads a mark without touching it.
pub(super) fn read(path: &Path) -> io::Result<Said> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(BYTES as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::Nothing),
        Err(error) => return Err(error),
    };
    Ok(decode(&bytes))
}

impl Mark {
    /// Opens the mark, made if it is not there, saying what it says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mark = Self(Mutex::new(file));
        if read(path)? == Said::Nothing {
            // Its block is there before it is needed: a full disk does not stop it later.
            mark.forget()?;
        }
        Ok(mark)
    }

    /// The log is durable this far. Not synced: an older mark claims less, and never too much.
    pub(super) fn set(&self, claim: Claim) -> io::Result<()> {
        self.write(&encode(Some(claim))).map(drop)
    }

    /// Claims nothing any more, durably: what follows may empty the log.
    pub fn forget(&self) -> io::Result<()> {
        self.write(&encode(None))?.sync_all()
    }

    fn write(&self, bytes: &[u8; BYTES]) -> io::Result<std::sync::MutexGuard<'_, File>> {
        let mut file = lock(&self.0);
        file.rewind()?;
        // Less than a sector: written whole or not at all.
        file.write_all(bytes)?;
        Ok(file)
    }
}

fn encode(claim: Option<Claim>) -> [u8; BYTES] {
    let claim = claim.unwrap_or(Claim {
        salts: [0; 8],
        frames: 0,
        sum: [0; 2],
    });
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend(MAGIC);
    bytes.extend(claim.salts);
    bytes.extend(claim.frames.to_be_bytes());
    bytes.extend(claim.sum.iter().flat_map(|word| word.to_be_bytes()));
    bytes.resize(BYTES - 4, 0);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    let mut whole = [0; BYTES];
    whole.copy_from_slice(&bytes);
    whole
}

fn decode(bytes: &[u8]) -> Said {
    if bytes.iter().all(|byte| *byte == 0) {
        return Said::Nothing;
    }
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes.len() != BYTES || bytes[..8] != MAGIC || crc32fast::hash(&bytes[..BYTES - 4]) != word(BYTES - 4)
    {
        return Said::Unreadable;
    }
    let mut salts = [0; 8];
    salts.copy_from_slice(&bytes[8..16]);
    match word(16) {
        0 => Said::Nothing,
        frames => Said::Claim(Claim {
            salts,
            frames,
            sum: [word(20), word(24)],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim {
        salts: [1, 2, 3, 4, 5, 6, 7, 8],
        frames: 12,
        sum: [9, 10],
    };

    #[test]
    fn the_last_claim_stands_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        assert_eq!(read(&path).unwrap(), Said::Nothing);
        let mark = Mark::open(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Said::Nothing);
        mark.set(Claim { frames: 3, ..CLAIM }).unwrap();
        mark.set(CLAIM).unwrap();
        assert_eq!(read(&path).unwrap(), Said::Claim(CLAIM));
        drop(mark);
        let mark = Mark::open(&path).unwrap();
        assert_eq!(
            read(&path).unwrap(),
            Said::Claim(CLAIM),
            "opening it changes nothing"
        );
        mark.forget().unwrap();
        assert_eq!(read(&path).unwrap(), Said::Nothing);
    }

    #[test]
    fn a_flipped_bit_makes_it_unreadable() {
        let good = encode(Some(CLAIM));
        for bit in 0..BYTES * 8 {
            let mut flipped = good;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), Said::Unreadable, "bit {bit}");
        }
        assert_eq!(decode(&good[..20]), Said::Unreadable);
        assert_eq!(decode(&[0; BYTES]), Said::Nothing);
    }
}
