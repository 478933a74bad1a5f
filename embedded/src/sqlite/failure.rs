//! What SQLite's and the file system's errors mean to a store, and its fate after the worst of them.

use rusqlite::ErrorCode;
use smoother_core::ports::{BoxFuture, StoreError};
use std::io;
use tokio::sync::watch;

/// SQLite's error in the store's words.
pub(super) fn of_sqlite(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(error.to_string()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
        Some(_) => StoreError::Failed(error.to_string()),
        // Not SQLite's own: a column had a type that nobody wrote.
        None => match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => StoreError::Damaged(error.to_string()),
            _ => StoreError::Failed(error.to_string()),
        },
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
