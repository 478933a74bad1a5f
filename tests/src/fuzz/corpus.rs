//! The kept inputs: `tests/fuzz-corpus/<target>/`, one file each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Kind;

/// Where the corpus of this workspace lies.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus")
}

/// One kept input.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name of its file.
    pub name: String,
    /// The input.
    pub input: Vec<u8>,
}

/// The inputs of a target, by name.
///
/// # Errors
/// The folder or a file in it cannot be read.
pub fn read(home: &Path, target: &str) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(home.join(target))? {
        let path = file?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        entries.push(Entry {
            name,
            input: fs::read(&path)?,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Keeps an input that broke something, under a name made of what it broke and its content.
///
/// # Errors
/// It cannot be written.
pub fn keep(home: &Path, target: &str, kind: Kind, input: &[u8]) -> io::Result<PathBuf> {
    let digest = Sha256::digest(input);
    let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kind = format!("{kind:?}").to_lowercase();
    let folder = home.join(target);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("found-{kind}-{hex}"));
    fs::write(&path, input)?;
    Ok(path)
}
