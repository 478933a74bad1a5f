//! A copy of everything, whole and of one moment, made while a smoother may be running on it.
//!
//! Files first: those that are there are copied. Then the database, by `VACUUM INTO`: one read transaction, so the
//! copy is what was committed at one moment, and what was acknowledged before the backup began is in it. Then
//! the files that the copied rows name and that came in between; a row's file is there before the row and goes
//! after it. Copied files that no row names go. The database gets its name last: what a broken backup leaves is
//! not taken for one.
//!
//! The copy has no log and no mark, and a start on it is the restore.

use super::files::PayloadFiles;
use super::inspect::{identify, sqlite};
use super::ownership::{Ownership, io, make_private};
use super::verify::named;
use super::{OpenError, OpenOptions, log};
use rusqlite::Connection;
use smoother_core::ports::StoreError;
use std::fs::{self, File};
use std::io as std_io;
use std::path::{Path, PathBuf};

/// What was copied.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of the database.
    pub database: u64,
    /// Payload files.
    pub files: u64,
}

/// There is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no smoother.db in {0}; give the data directory with --data-dir")]
    Nothing(PathBuf),
    /// A backup goes into a directory of its own.
    #[error("{0} is not empty; give a directory that is new or empty")]
    Occupied(PathBuf),
    /// A directory or database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something could not be read or written.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Copies what is in `dir` into `to`, a new or empty directory.
pub fn backup(dir: &Path, to: &Path) -> Result<Copied, BackupError> {
    let source = OpenOptions::new(dir).database();
    if !source.exists() {
        return Err(BackupError::Nothing(dir.to_owned()));
    }
    if fs::read_dir(to).is_ok_and(|mut inside| inside.next().is_some()) {
        return Err(BackupError::Occupied(to.to_owned()));
    }
    // With no server on it, none starts meanwhile, and the log is looked at as a start would.
    let _held = match Ownership::take(dir) {
        Ok(held) => {
            log::check(&source, &log::mark_path(dir))?;
            Some(held)
        }
        Err(OpenError::Locked { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    make_private(&to.join("payloads")).map_err(|cause| io(to, cause))?;
    let payloads = Payloads {
        from: dir.join("payloads"),
        to: to.join("payloads"),
    };
    payloads.copy_all(dir)?;
    let partial = to.join("smoother.db.partial");
    let copy = copy_database(&source, &partial)?;
    let files = payloads.settle(&copy, to)?;
    drop(copy);
    let database = OpenOptions::new(to).database();
    let bytes = publish(&partial, &database, to).map_err(|cause| io(&database, cause))?;
    Ok(Copied {
        database: bytes,
        files,
    })
}

fn copy_database(source: &Path, partial: &Path) -> Result<Connection, BackupError> {
    let Some((conn, _)) = identify(source)? else {
        return Err(BackupError::Nothing(source.to_owned()));
    };
    super::readers::keep_log(&conn).map_err(|error| sqlite(source, &error))?;
    conn.execute("VACUUM INTO ?1", [partial.to_string_lossy().as_ref()])
        .map_err(|error| sqlite(source, &error))?;
    drop(conn);
    let copied = identify(partial)?;
    copied
        .map(|(conn, _)| conn)
        .ok_or_else(|| BackupError::Nothing(partial.to_owned()))
}

fn publish(partial: &Path, database: &Path, to: &Path) -> std_io::Result<u64> {
    let file = File::open(partial)?;
    file.sync_all()?;
    fs::rename(partial, database)?;
    File::open(to)?.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Payload files on both sides.
struct Payloads {
    from: PathBuf,
    to: PathBuf,
}

impl Payloads {
    /// Copies what is there now; what goes away meanwhile is not missed.
    fn copy_all(&self, dir: &Path) -> Result<(), BackupError> {
        let keys = match PayloadFiles::at(dir).keys() {
            Ok(keys) => keys,
            Err(error) if error.kind() == std_io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(io(&self.from, cause).into()),
        };
        for key in keys {
            match self.copy(&key) {
                Err(error) if error.kind() == std_io::ErrorKind::NotFound => {}
                copied => copied.map_err(|cause| io(&self.to.join(&key), cause))?,
            }
        }
        Ok(())
    }

    /// Makes the copied files those that the copied rows name; gives their number.
    fn settle(&self, copy: &Connection, to: &Path) -> Result<u64, BackupError> {
        let named = named(copy)?;
        for key in &named {
            if !self.to.join(key).exists() {
                self.copy(key).map_err(|cause| io(&self.from.join(key), cause))?;
            }
        }
        let copied = PayloadFiles::at(to).keys().map_err(|cause| io(&self.to, cause))?;
        for key in copied.iter().filter(|key| !named.contains(*key)) {
            fs::remove_file(self.to.join(key)).map_err(|cause| io(&self.to.join(key), cause))?;
        }
        self.sync().map_err(|cause| io(&self.to, cause))?;
        Ok(named.len() as u64)
    }

    /// As it is, damaged or not: the copy is verified, and a backup with one damaged answer is worth having.
    fn copy(&self, key: &str) -> std_io::Result<()> {
        let target = self.to.join(key);
        if let Some(shard) = target.parent() {
            make_private(shard)?;
        }
        fs::copy(self.from.join(key), &target)?;
        File::open(target)?.sync_all()
    }

    fn sync(&self) -> std_io::Result<()> {
        for shard in fs::read_dir(&self.to)? {
            File::open(shard?.path())?.sync_all()?;
        }
        File::open(&self.to)?.sync_all()
    }
}
