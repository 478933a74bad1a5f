//! What SQLite's and the file system's errors mean to a store, and its fate after the worst of them.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use smoother_core::ports::{BoxFuture, StoreError};
use std::io;
use tokio::sync::watch;

/// SQLite's error in the store's words.
pub(super) fn of_sqlite(error: &rusqlite::Error) -> StoreError {
    let words = words(error);
    match error.sqlite_error_code() {
        _ if is_full(error) => StoreError::Full(words),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(words),
        Some(_) => StoreError::Failed(words),
        // Not SQLite's own: a column had a type that nobody wrote.
        None => match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => StoreError::Damaged(words),
            _ => StoreError::Failed(words),
        },
    }
}

/// Whether there was no room. Not every error of the device is one: what cannot be read or synced ends the store.
///
/// Beside `SQLITE_FULL` this is a log's index that could not be made longer, which SQLite calls an I/O error: the
/// index is memory in a file and holds nothing of its own.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || is_index_full(error)
}

/// Whether it was the log's index that had no room. That comes after the log itself was written: a commit refused
/// for this may be found after a crash.
pub(super) fn is_index_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().map(|error| error.extended_code) == Some(SQLITE_IOERR_SHMSIZE)
}

/// SQLite's words on one line, with its code, and without the statement: whoever reads this can do nothing with it.
pub(super) fn words(error: &rusqlite::Error) -> String {
    let (text, code) = match error {
        rusqlite::Error::SqlInputError { msg, error, .. } => (msg.clone(), Some(*error)),
        other => (other.to_string(), other.sqlite_error().copied()),
    };
    let text = one_line(&text);
    match code {
        Some(code) => format!("{text}, SQLite's code {}", code.extended_code),
        None => text,
    }
}

/// Several lines as one, without the headings of SQLite's checks.
pub(super) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let telling: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("***"))
        .collect();
    telling.join("; ")
}

/// Says of damage, and of any other failure of a read, what was being read.
pub(super) fn about(what: impl std::fmt::Display, error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged(cause) => StoreError::Damaged(format!("{what}: {cause}")),
        StoreError::Failed(cause) => StoreError::Failed(format!("{what}: {cause}")),
        other => other,
    }
}

/// A file's error in the store's words.
pub(super) fn of_io(what: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{what}: {error}"))
        }
        _ => StoreError::Failed(format!("{what}: {error}")),
    }
}

/// Whether the store goes on, and if not, why.
///
/// After a failed fsync nobody knows what the disk holds (the kernel may have dropped the pages and cleared
/// the error), so there is no going on: every write from then on fails, and the process is told to end.
#[derive(Debug)]
pub(super) struct Fate(watch::Sender<Option<StoreError>>);

impl Fate {
    pub fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// The store stops; the first reason stands.
    pub fn stop(&self, why: StoreError) {
        self.0.send_if_modified(|fate| {
            if fate.is_some() {
                return false;
            }
            tracing::error!(error = %why, "the store stops: nothing more can be made durable");
            *fate = Some(why);
            true
        });
    }

    /// Why the store has stopped, if it has.
    pub fn stopped(&self) -> Option<StoreError> {
        self.0.borrow().clone()
    }

    /// What a write gets whose answer will never come.
    pub fn or_closed(&self) -> StoreError {
        self.stopped().unwrap_or(StoreError::Closed)
    }

    /// Resolves when the store stops on an error.
    pub fn watch(&self) -> BoxFuture<'static, StoreError> {
        let mut fate = self.0.subscribe();
        Box::pin(async move {
            if let Ok(why) = fate.wait_for(Option::is_some).await
                && let Some(why) = why.clone()
            {
                return why;
            }
            std::future::pending().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlites_words_are_one_line_and_hold_no_statement() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let error = conn.prepare("SELECT secret FROM\n absent").unwrap_err();
        let said = of_sqlite(&error).to_string();
        assert!(
            said.contains("no such table: absent") && said.contains("code 1"),
            "{said}"
        );
        assert!(!said.contains("SELECT") && !said.contains('\n'), "{said}");
        let check = "*** in database main ***\nTree 5 page 7: btreeInitPage() returns error code 11\nPage 9: never used";
        assert_eq!(
            one_line(check),
            "Tree 5 page 7: btreeInitPage() returns error code 11; Page 9: never used"
        );
    }

    #[test]
    fn no_room_is_told_from_a_failing_device() {
        let of = |code| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            of_sqlite(&error)
        };
        for code in [rusqlite::ffi::SQLITE_FULL, SQLITE_IOERR_SHMSIZE] {
            assert!(matches!(of(code), StoreError::Full(_)), "{code}");
        }
        for code in [
            rusqlite::ffi::SQLITE_IOERR_FSYNC,
            rusqlite::ffi::SQLITE_IOERR_WRITE,
            rusqlite::ffi::SQLITE_IOERR_SHMMAP,
        ] {
            assert!(matches!(of(code), StoreError::Failed(_)), "{code}");
        }
        assert!(matches!(
            of(rusqlite::ffi::SQLITE_CORRUPT),
            StoreError::Damaged(_)
        ));
    }

    #[tokio::test]
    async fn the_first_reason_stands_and_is_told() {
        let fate = Fate::new();
        let told = fate.watch();
        assert_eq!(fate.or_closed(), StoreError::Closed);
        fate.stop(StoreError::Failed("fsync".into()));
        fate.stop(StoreError::Failed("later".into()));
        assert_eq!(told.await, StoreError::Failed("fsync".into()));
        assert_eq!(fate.or_closed(), StoreError::Failed("fsync".into()));
    }
}
