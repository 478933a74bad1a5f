//! Whether a database that is there may be used, found out without writing to it.

use super::OpenError;
use super::ownership::io;
use super::schema::{APPLICATION_ID, newest};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The schema of the database at `path`; 0 where there is none yet.
///
/// Refuses what is not SQLite, not a smoother's, newer than this code, or damaged. `PRAGMA quick_check` reads
/// the whole file; it is cut short after `check_for`, having found nothing so far.
pub(super) fn inspect(path: &Path, check_for: Duration) -> Result<u32, OpenError> {
    if !has_database(path)? {
        return Ok(0);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| sqlite(path, &error))?;
    let found = schema_of(&conn, path)?;
    if found > 0 {
        quick_check(&conn, path, check_for)?;
    }
    Ok(found)
}

/// Whether there is a file with SQLite's header. An empty one was never written to.
fn has_database(path: &Path) -> Result<bool, OpenError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(io(path, cause)),
    };
    let mut head = Vec::with_capacity(100);
    file.by_ref()
        .take(100)
        .read_to_end(&mut head)
        .map_err(|cause| io(path, cause))?;
    if head.is_empty() {
        return Ok(false);
    }
    if head.len() < 100 || !head.starts_with(MAGIC) {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            cause: "it does not begin as a SQLite database does".to_owned(),
        });
    }
    Ok(true)
}

fn schema_of(conn: &Connection, path: &Path) -> Result<u32, OpenError> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(|error| sqlite(path, &error))?;
    let version = pragma("user_version").map_err(|error| sqlite(path, &error))?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| sqlite(path, &error))?;
    if application == 0 && version == 0 && tables == 0 {
        // Made by a process that ended before its first table.
        return Ok(0);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
            cause: format!("its application id is {application:#x}"),
        });
    }
    let found = u32::try_from(version).unwrap_or(u32::MAX);
    if found > newest() {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        });
    }
    Ok(found)
}

fn quick_check(conn: &Connection, path: &Path, check_for: Duration) -> Result<(), OpenError> {
    let interrupt = conn.get_interrupt_handle();
    let (done, timer) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if timer.recv_timeout(check_for) == Err(mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let verdict = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    let _ = watch.join();
    match verdict {
        Ok(word) if word == "ok" => Ok(()),
        Ok(cause) => Err(OpenError::Damaged {
            path: path.to_owned(),
            cause,
        }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(
                path = %path.display(),
                "the database is too large to check whole at start; the rest is checked as it is read"
            );
            Ok(())
        }
        Err(error) => Err(sqlite(path, &error)),
    }
}

/// SQLite's error at opening.
pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, cause) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Damaged { path, cause },
        _ => OpenError::Sqlite { path, cause },
    }
}
