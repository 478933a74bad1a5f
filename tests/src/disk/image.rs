//! What a disk holds at a moment: directories and files by their path.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// The least that a disk writes whole.
pub const SECTOR: usize = 512;

/// A whole disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Each after the directory it is in.
    pub dirs: Vec<String>,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Image {
    /// Puts everything down in an empty folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, folder: &Path) -> anyhow::Result<()> {
        for dir in &self.dirs {
            fs::create_dir(folder.join(dir))?;
        }
        for (path, content) in &self.files {
            write_sparse(&folder.join(path), content)?;
        }
        Ok(())
    }

    /// Flips one bit of one of the files whose path `takes`; says of which. `None` where there is none with bytes.
    pub fn flip(&mut self, random: &mut StdRng, takes: impl Fn(&str) -> bool) -> Option<String> {
        let fits: Vec<String> = self
            .files
            .iter()
            .filter(|(path, content)| takes(path) && used(content) > 0)
            .map(|(path, _)| path.clone())
            .collect();
        let path = fits.choose(random)?.clone();
        let content = self.files.get_mut(&path)?;
        // Not in the zeros that only make room.
        let at = random.random_range(0..used(content));
        let bit = random.random_range(0..8);
        content[at] ^= 1 << bit;
        Some(format!("{path}, byte {at}, bit {bit}"))
    }
}

/// Bytes up to the last sector that is not zero.
fn used(content: &[u8]) -> usize {
    let mut sectors = content.chunks(SECTOR);
    let last = sectors.rposition(|sector| *sector != [0; SECTOR][..sector.len()]);
    last.map_or(0, |last| ((last + 1) * SECTOR).min(content.len()))
}

/// Zeros take no room: a log is given its length in advance.
fn write_sparse(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut file = File::create_new(path)?;
    file.set_len(content.len() as u64)?;
    for (number, piece) in content.chunks(64 * 1024).enumerate() {
        if used(piece) > 0 {
            file.seek(SeekFrom::Start((number * 64 * 1024) as u64))?;
            file.write_all(piece)?;
        }
    }
    Ok(())
}
