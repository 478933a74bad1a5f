//! One process per data directory.

use super::OpenError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;

/// Holds the directory until dropped. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Ownership {
    _file: File,
}

impl Ownership {
    /// Makes the directory if need be and takes it, or names the process that has it.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        make_durable(dir).map_err(|cause| io(dir, cause))?;
        let path = dir.join("smoother.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|cause| io(&path, cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Who it is only makes the message better.
                let _ = file.read_to_string(&mut owner);
                let owner = owner.trim();
                return Err(OpenError::Locked {
                    dir: dir.to_owned(),
                    owner: if owner.is_empty() { "unknown" } else { owner }.to_owned(),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(io(&path, cause)),
        }
        write_pid(&mut file).map_err(|cause| io(&path, cause))?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Makes a directory that only its owner may read: it will hold prompts and answers.
pub(super) fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes the data directory, with its name: without that a power cut takes away everything in it.
fn make_durable(dir: &Path) -> std::io::Result<()> {
    let dir = std::path::absolute(dir)?;
    let missing = dir.ancestors().take_while(|above| !above.exists()).count();
    make_private(&dir)?;
    // A process may have been killed between making it and syncing its name: as long as there is no database, it is
    // taken for new.
    let new = !dir.join("smoother.db").exists();
    let names = missing.max(usize::from(new));
    dir.ancestors().skip(1).take(names).try_for_each(sync_dir)
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

pub(super) fn io(path: &Path, cause: std::io::Error) -> OpenError {
    let path = path.to_owned();
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::Full {
            path,
            cause: cause.to_string(),
        },
        _ => OpenError::Io { path, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ownership::take(dir.path()).unwrap();
        let second = Ownership::take(dir.path()).unwrap_err();
        assert!(
            second
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{second}"
        );
        drop(first);
        Ownership::take(dir.path()).unwrap();
    }
}
