//! Whether a database that is there may be used, found out without writing to it.

use super::OpenError;
use super::failure::{is_full, one_line, words};
use super::log::log_path;
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
/// Refuses what is not SQLite, not a smoother's, newer than this code, or damaged. `PRAGMA integrity_check` reads the
/// whole file, and holds each table against its indexes: a row that its index does not lead to would seem not to be
/// there. It is cut short after `check_for`, having found nothing so far.
pub(super) fn inspect(path: &Path, check_for: Duration) -> Result<u32, OpenError> {
    let Some((conn, found)) = identify(path)? else {
        return Ok(0);
    };
    integrity_check(&conn, path, check_for)?;
    Ok(found)
}

/// A connection that cannot write, and the schema; `None` where there is no database yet.
pub(super) fn identify(path: &Path) -> Result<Option<(Connection, u32)>, OpenError> {
    if !has_database(path)? {
        return refuse_orphaned_log(path).map(|()| None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| sqlite(path, &error))?;
    let found = schema_of(&conn, path)?;
    Ok((found > 0).then_some((conn, found)))
}

/// A log without its database: SQLite would delete it.
fn refuse_orphaned_log(path: &Path) -> Result<(), OpenError> {
    let log = log_path(path);
    let empty = match std::fs::metadata(&log) {
        Ok(log) => log.len() == 0,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(cause) => return Err(io(&log, cause)),
    };
    if empty {
        return Ok(());
    }
    Err(OpenError::Damaged {
        path: path.to_owned(),
        cause: "it is missing or empty, and its log smoother.db-wal is not".to_owned(),
    })
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

/// Refuses to begin anew where an earlier database has left something: it was lost, and what was accepted with it.
pub(super) fn refuse_remains(path: &Path, dir: &Path) -> Result<(), OpenError> {
    let payloads = dir.join("payloads");
    let remains = if has_files(&payloads).map_err(|cause| io(&payloads, cause))? {
        "payloads/ holds files of requests that it does not know"
    } else {
        return Ok(());
    };
    Err(OpenError::Damaged {
        path: path.to_owned(),
        cause: format!("it is missing or empty, and {remains}"),
    })
}

/// Whether there are payload files; what was being written when a process ended does not count.
fn has_files(payloads: &Path) -> std::io::Result<bool> {
    let shards = match std::fs::read_dir(payloads) {
        Ok(shards) => shards,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for shard in shards {
        let shard = shard?;
        if shard.file_name() == "tmp" || !shard.file_type()?.is_dir() {
            continue;
        }
        if std::fs::read_dir(shard.path())?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
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

fn integrity_check(conn: &Connection, path: &Path, check_for: Duration) -> Result<(), OpenError> {
    let interrupt = conn.get_interrupt_handle();
    let (done, timer) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if timer.recv_timeout(check_for) == Err(mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let verdict = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    let _ = watch.join();
    match verdict {
        Ok(word) if word == "ok" => Ok(()),
        Ok(cause) => Err(OpenError::Damaged {
            path: path.to_owned(),
            cause: one_line(&cause),
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
    let (path, cause) = (path.to_owned(), words(error));
    match error.sqlite_error_code() {
        _ if is_full(error) => OpenError::Full { path, cause },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Damaged { path, cause },
        _ => OpenError::Sqlite { path, cause },
    }
}
