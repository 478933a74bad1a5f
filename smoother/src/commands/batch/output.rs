//! Where a batch's answers go: stdout as they come, or a file that has its name only once it is whole.

use crate::commands::{CommandError, Terminal};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The answers' place.
#[derive(Debug)]
pub enum Output {
    /// The terminal's `out`.
    Stdout,
    /// A file under a name of its own until it is whole.
    File {
        /// Whole file's name.
        whole: PathBuf,
        /// Name until then.
        part: PathBuf,
        /// What is written.
        to: BufWriter<File>,
    },
}

impl Output {
    /// For the answers of `input`.
    pub fn open(file: Option<&Path>, input: &Path) -> Result<Self, CommandError> {
        let Some(whole) = file.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout);
        };
        if is_same(whole, input) {
            return Err(CommandError::Usage(format!(
                "{} is the file of requests; name another for the answers",
                whole.display()
            )));
        }
        let mut name = whole.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let part = whole.with_file_name(name);
        let to = fresh(&part)?;
        Ok(Self::File {
            whole: whole.to_owned(),
            part,
            to: BufWriter::new(to),
        })
    }

    /// The unfinished file.
    pub fn part(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File { part, .. } => Some(part),
        }
    }

    /// Adds a line. It can be read at once: an interrupted run has lost nothing that it showed as done.
    pub fn write(&mut self, line: &[u8], terminal: &mut Terminal) -> Result<(), CommandError> {
        match self {
            Self::Stdout => {
                terminal.out.write_all(line)?;
                terminal.out.write_all(b"\n")?;
                Ok(terminal.out.flush()?)
            }
            Self::File { part, to, .. } => to
                .write_all(line)
                .and_then(|()| to.write_all(b"\n"))
                .and_then(|()| to.flush())
                .map_err(|e| unwritten(part, e)),
        }
    }

    /// Makes the file durable and gives it its name.
    pub fn finish(self, terminal: &mut Terminal) -> Result<(), CommandError> {
        match self {
            Self::Stdout => Ok(terminal.out.flush()?),
            Self::File { whole, part, to } => seal(&whole, &part, to).map_err(|e| unwritten(&whole, e)),
        }
    }
}

/// The unfinished file, empty, and nobody else's while this run goes on: two that write one file would leave a
/// mixture.
fn fresh(part: &Path) -> Result<File, CommandError> {
    let unwritten = |e| unwritten(part, e);
    loop {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(part)
            .map_err(unwritten)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(unwritten(io::Error::other(
                    "another run is writing it; wait for its end or name another --output",
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unwritten(error)),
        }
        // A run that ended between the two has given the file its whole name: it is not to be touched any more.
        if is_named(&file, part) {
            // Only now: what is in it was the other run's.
            file.set_len(0).map_err(unwritten)?;
            return Ok(file);
        }
    }
}

/// Whether the open file is the one that has this name now.
fn is_named(file: &File, path: &Path) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// The lock is held until the file has its name: nobody empties it before.
fn seal(whole: &Path, part: &Path, to: BufWriter<File>) -> io::Result<()> {
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(part, whole)?;
    // The name is durable only with its folder.
    let folder = whole.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn unwritten(path: &Path, error: io::Error) -> CommandError {
    CommandError::file(format!("{} cannot be written", path.display()), error)
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_run_writes_a_file_and_leaves_a_whole_one_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (part, whole) = (dir.path().join("a.part"), dir.path().join("a"));
        let mut first = fresh(&part).unwrap();
        let busy = fresh(&part).unwrap_err().to_string();
        assert!(busy.contains("a.part") && busy.contains("another run"), "{busy}");
        first.write_all(b"answers").unwrap();

        // Whoever has it open when it is whole does not take it for unfinished.
        let late = File::options().write(true).open(&part).unwrap();
        assert!(is_named(&late, &part));
        seal(&whole, &part, BufWriter::new(first)).unwrap();
        assert!(late.try_lock().is_ok() && !is_named(&late, &part));
        drop(late);
        assert_eq!(fresh(&part).unwrap().metadata().unwrap().len(), 0);
        assert_eq!(fs::read(&whole).unwrap(), b"answers");
    }
}
