//! A new database, made under another name and given its own when it is whole.
//!
//! SQLite makes a database in several steps, and switches it to its log in a transaction of the old kind, with a
//! journal. A power cut among them leaves a file that begins with zeros, or a journal that only a writer could roll
//! back: neither could be told from damage. So `smoother.db` either is not there, or is whole.

use super::OpenError;
use super::checkpoint::checkpoint;
use super::inspect::sqlite;
use super::open::prepare;
use super::ownership::{io, sync_dir};
use super::readers::let_log_go;
use super::schema::newest;
use std::fs::{self, File};
use std::io::{self as std_io, ErrorKind};
use std::path::{Path, PathBuf};

/// Makes the database at `path`, where none or an empty file is. Gives its schema: none still, where an earlier
/// version has made a file and no table.
pub(super) fn begin(path: &Path, dir: &Path) -> Result<u32, OpenError> {
    if fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        return Ok(0);
    }
    let new = dir.join("smoother.db.new");
    clear(&new).map_err(|cause| io(&new, cause))?;
    fill(&new).map_err(|error| sqlite(&new, &error))?;
    publish(&new, path, dir).map_err(|cause| io(path, cause))?;
    Ok(newest())
}

/// Removes what a start left that was cut short.
fn clear(new: &Path) -> std_io::Result<()> {
    for end in ["", "-journal", "-wal", "-shm"] {
        let mut left = new.as_os_str().to_owned();
        left.push(end);
        match fs::remove_file(PathBuf::from(left)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// All tables, and no log.
fn fill(new: &Path) -> rusqlite::Result<()> {
    let conn = prepare(new, 0, None)?;
    checkpoint(&conn, "TRUNCATE")?;
    let_log_go(&conn)?;
    conn.close().map_err(|(_, error)| error)
}

fn publish(new: &Path, path: &Path, dir: &Path) -> std_io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    sync_dir(dir)
}
