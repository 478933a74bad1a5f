//! Reads beside the writer: connections of their own, each seeing the last commit.

use super::failure::of_sqlite;
use crate::lock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use smoother_core::ports::StoreError;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Statements keep the plan they were prepared with. Otherwise SQLite, built with STAT4, plans a cached statement
/// anew for every value that is bound to it, which takes longer than running it.
pub(super) fn keep_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// The log is not emptied when the connection closes: only the writer's last act does that, after it has withdrawn
/// the log's mark.
pub(super) fn keep_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map(drop)
}

/// Lets the log go with the last connection.
pub(super) fn let_log_go(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map(drop)
}

/// Reads at once.
const CONNECTIONS: usize = 4;

/// A small pool of read-only connections, used on the runtime's blocking threads.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    /// Closed after every connection: see `room::make_for_index`.
    _index: Arc<File>,
}

impl Readers {
    pub fn new(path: PathBuf, index: File) -> Self {
        Self {
            path,
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Arc::default(),
            _index: Arc::new(index),
        }
    }

    /// Runs `query` on a connection of the pool.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let pool = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = lock(&pool.idle).pop();
            let conn = match idle {
                Some(conn) => conn,
                None => pool.connect().map_err(|error| of_sqlite(&error))?,
            };
            let answer = query(&conn);
            lock(&pool.idle).push(conn);
            answer
        });
        task.await
            .map_err(|error| StoreError::Failed(format!("a read was not finished: {error}")))?
    }

    /// Opens a connection that cannot write.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        keep_plans(&conn)?;
        keep_log(&conn)?;
        conn.pragma_update(None, "cache_size", -2_000)?;
        conn.set_prepared_statement_cache_capacity(32);
        Ok(conn)
    }

    /// Closes what is idle.
    pub fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
    }
}
