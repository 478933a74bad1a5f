//! Where a batch's answers go: stdout as they come, or a file that has its name only once it is whole.

use crate::commands::{CommandError, Terminal};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
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
    // Only now: what is in it was the other run's.
    file.set_len(0).map_err(unwritten)?;
    Ok(file)
}

fn seal(whole: &Path, part: &Path, to: BufWriter<File>) -> io::Result<()> {
    to.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
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
