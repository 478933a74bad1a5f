//! Payloads too large for a row: one file each, durable before any row names it.
//!
//! A file is written under `payloads/tmp`, synced, renamed into place, and its directory synced; so is the name of
//! the directory, once. A file's name carries the request, the kind, a number that makes it unique, and the CRC-32 of what is in it; the name is
//! the key that the row holds. Files that no row names (a crash between the two, a refused duplicate) are
//! removed at the next start.

use super::failure::of_io;
use super::ownership::{make_private, sync_dir};
use crate::lock;
use bytes::Bytes;
use smoother_core::RequestId;
use smoother_core::ports::{PayloadKind, StoreError};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// "Too many open files", of this process and of the system.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// A payload was not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// Its file was not even opened.
    NotBegun(StoreError),
    /// It was being written.
    Broken(StoreError),
}

/// The directory of payload files.
#[derive(Debug)]
pub(super) struct PayloadFiles {
    root: PathBuf,
    next: AtomicU64,
    /// Directories whose names are durable. That one is there says nothing: it may have been made this moment, or by
    /// a process that was killed before it synced the name.
    shards: Mutex<HashSet<String>>,
}

impl PayloadFiles {
    /// The files of a data directory, for reading only.
    pub fn at(data_dir: &Path) -> Self {
        Self {
            root: data_dir.join("payloads"),
            next: AtomicU64::new(0),
            shards: Mutex::default(),
        }
    }

    /// Makes the directory ready and removes what was being written when the last process ended.
    /// `unique` must be larger than at any earlier start.
    pub fn open(data_dir: &Path, unique: u64) -> io::Result<Self> {
        let root = data_dir.join("payloads");
        let tmp = root.join("tmp");
        make_private(&tmp)?;
        for left in fs::read_dir(&tmp)? {
            fs::remove_file(left?.path())?;
        }
        let shards = shards(&root)?.into_iter().collect();
        sync_dir(&root)?;
        sync_dir(data_dir)?;
        Ok(Self {
            root,
            next: AtomicU64::new(unique),
            shards: Mutex::new(shards),
        })
    }

    /// Writes a payload; once this returns, the key may be stored. Blocks.
    pub fn write(&self, id: RequestId, kind: PayloadKind, payload: &[u8]) -> Result<String, Unwritten> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let sum = crc32fast::hash(payload);
        let name = format!("{id}.{}.{number:x}.{sum:08x}", word(kind));
        // The last digits of an id are random for every kind of id: they spread the files evenly.
        let shard = format!("{:02x}", id.as_bytes()[15]);
        let key = format!("{shard}/{name}");
        let tmp = self.root.join("tmp").join(&name);
        let file = File::create_new(&tmp).map_err(|error| {
            let why = of_io(&format!("the payload file {key}"), &error);
            // Too many open files: the disk was not even asked.
            if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) {
                Unwritten::NotBegun(why)
            } else {
                Unwritten::Broken(why)
            }
        })?;
        self.place(file, &tmp, &shard, &name, payload).map_err(|error| {
            // It may not be there; the next start removes it otherwise.
            let _ = fs::remove_file(&tmp);
            Unwritten::Broken(of_io(&format!("the payload file {key}"), &error))
        })?;
        Ok(key)
    }

    fn place(&self, mut file: File, tmp: &Path, shard: &str, name: &str, payload: &[u8]) -> io::Result<()> {
        file.write_all(payload)?;
        file.sync_all()?;
        let dir = self.shard(shard)?;
        fs::rename(tmp, dir.join(name))?;
        sync_names(&dir)
    }

    /// A directory whose name is durable.
    fn shard(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.root.join(name);
        let mut durable = lock(&self.shards);
        if !durable.contains(name) {
            make_private(&dir)?;
            sync_names(&self.root)?;
            durable.insert(name.to_owned());
        }
        Ok(dir)
    }

    /// Reads a payload back. Blocks.
    pub fn read(&self, key: &str) -> Result<Bytes, StoreError> {
        let payload = fs::read(self.root.join(key)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Damaged(format!("the payload file {key} is missing")),
            _ => of_io("a payload file", &error),
        })?;
        let sum = format!("{:08x}", crc32fast::hash(&payload));
        if key.rsplit('.').next() != Some(sum.as_str()) {
            return Err(StoreError::Damaged(format!(
                "the payload file {key} does not match its checksum"
            )));
        }
        Ok(payload.into())
    }

    /// Removes a file that no row names (any more). Blocks.
    pub fn remove(&self, key: &str) {
        match fs::remove_file(self.root.join(key)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(key, %error, "a payload file could not be removed"),
        }
    }

    /// The keys of the files there are.
    pub fn keys(&self) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        for shard in shards(&self.root)? {
            for file in fs::read_dir(self.root.join(&shard))? {
                let name = file?.file_name();
                keys.push(format!("{shard}/{}", name.to_string_lossy()));
            }
        }
        Ok(keys)
    }
}

/// The directories that hold files.
fn shards(root: &Path) -> io::Result<Vec<String>> {
    let mut shards = Vec::new();
    for shard in fs::read_dir(root)? {
        let name = shard?.file_name().to_string_lossy().into_owned();
        if name != "tmp" {
            shards.push(name);
        }
    }
    Ok(shards)
}

/// Makes names durable. A file that does not fit is given up and forgotten; a directory is not, so here no room is a
/// failure like any other.
fn sync_names(dir: &Path) -> io::Result<()> {
    sync_dir(dir).map_err(|error| io::Error::other(format!("its directory is not synced: {error}")))
}

/// Which request and payload a key belongs to, if it is one of ours.
pub(super) fn owner(key: &str) -> Option<(RequestId, PayloadKind)> {
    let name = key.split_once('/')?.1;
    let mut parts = name.split('.');
    let id = parts.next()?.parse().ok()?;
    let kind = match parts.next()? {
        "body" => PayloadKind::Body,
        "result" => PayloadKind::Result,
        _ => return None,
    };
    Some((id, kind))
}

const fn word(kind: PayloadKind) -> &'static str {
    match kind {
        PayloadKind::Body => "body",
        PayloadKind::Result => "result",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let files = PayloadFiles::open(dir.path(), 1).unwrap();
        let id = RequestId::from_bytes([3; 16]);
        let key = files.write(id, PayloadKind::Result, b"an answer").unwrap();
        assert_eq!(files.read(&key).unwrap(), "an answer");
        assert_eq!(owner(&key), Some((id, PayloadKind::Result)));
        assert_eq!(files.keys().unwrap(), std::slice::from_ref(&key));

        fs::write(dir.path().join("payloads").join(&key), b"an Answer").unwrap();
        assert!(matches!(files.read(&key), Err(StoreError::Damaged(_))));
        files.remove(&key);
        assert!(matches!(files.read(&key), Err(StoreError::Damaged(_))));
        assert!(files.keys().unwrap().is_empty());
    }

    #[test]
    fn the_names_of_directories_are_known_again_after_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let files = PayloadFiles::open(dir.path(), 1).unwrap();
        let id = RequestId::from_bytes([3; 16]);
        assert!(lock(&files.shards).is_empty());
        files.write(id, PayloadKind::Body, b"a body").unwrap();
        assert!(lock(&files.shards).contains("03"));
        let files = PayloadFiles::open(dir.path(), 2).unwrap();
        assert_eq!(*lock(&files.shards), HashSet::from(["03".to_owned()]));
    }

    #[test]
    fn half_written_files_go_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        drop(PayloadFiles::open(dir.path(), 1).unwrap());
        let left = dir.path().join("payloads/tmp/left");
        fs::write(&left, b"half").unwrap();
        PayloadFiles::open(dir.path(), 2).unwrap();
        assert!(!left.exists());
    }
}
