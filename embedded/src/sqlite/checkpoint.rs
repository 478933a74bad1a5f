//! Checkpoints, on a thread and a connection of their own: the writer never copies the log back itself.
//!
//! A passive checkpoint copies what it can while the writer goes on. Only when the log has grown long in spite
//! of them is the writer held up, for the short rest, so that the log can begin anew.

use super::failure::{Fate, is_full, of_sqlite, words};
use super::readers::keep_log;
use crate::lock;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pages of log between two checkpoints: about 16 MB.
pub(super) const PAGES: u64 = 4_000;
/// Pages of log beyond which the writer is held up: about 128 MB.
const LONG: i64 = 32_000;

/// The writer's side: it counts, and asks.
#[derive(Debug)]
pub(super) struct Checkpoints {
    asks: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    pages: u64,
    gate: Arc<Mutex<()>>,
}

impl Checkpoints {
    /// Starts the thread. It takes the gate when no transaction may be open.
    pub fn start(database: &Path, fate: Arc<Fate>) -> rusqlite::Result<Self> {
        let conn = Connection::open(database)?;
        // The writer is held up for the rest of a long log, and no longer for a reader who is in it.
        conn.busy_timeout(Duration::from_millis(100))?;
        keep_log(&conn)?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        let gate = Arc::new(Mutex::new(()));
        let (asks, asked) = sync_channel(1);
        let held = Arc::clone(&gate);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || serve(&conn, &asked, &held, &fate))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self {
            asks: Some(asks),
            thread: Some(thread),
            pages: 0,
            gate,
        })
    }

    /// Held by the writer during a transaction.
    pub fn gate(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.gate)
    }

    /// The log has grown by about this many pages.
    pub fn grown(&mut self, pages: u64) {
        self.pages += pages;
        if self.pages >= PAGES {
            self.wanted();
        }
    }

    /// The log should be copied back, however long it is: a full disk may have room again.
    pub fn wanted(&mut self) {
        // A full channel means that one is asked for already.
        if let Some(asks) = &self.asks
            && asks.try_send(()).is_ok()
        {
            self.pages = 0;
        }
    }

    /// Ends the thread after the checkpoint it is in.
    pub fn stop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(conn: &Connection, asked: &Receiver<()>, gate: &Mutex<()>, fate: &Fate) {
    let mut told = false;
    while asked.recv().is_ok() {
        let done = checkpoint(conn, "PASSIVE").and_then(|log| {
            if log < LONG {
                return Ok(log);
            }
            let _held = lock(gate);
            checkpoint(conn, "RESTART")
        });
        match done {
            Ok(log) => {
                told = false;
                tracing::debug!(pages = log, "checkpoint");
            }
            Err(error) if is_busy(&error) => {
                tracing::debug!("a reader holds the log; the next checkpoint does it");
            }
            // The log is whole, and commits go on in it for as long as it has room.
            Err(error) if is_full(&error) && told => {}
            Err(error) if is_full(&error) => {
                told = true;
                tracing::error!(error = words(&error), "no room to copy the log back");
            }
            Err(error) => {
                fate.stop(of_sqlite(&error));
                return;
            }
        }
    }
}

/// Pages in the log. Busy is an answer here, not an error: the rest comes with the next checkpoint.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<i64> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
