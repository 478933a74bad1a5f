//! The store on one machine: SQLite and, for large payloads, files beside it.
//!
//! ```text
//! data_dir/
//!   smoother.lock      held while a smoother runs on it; names its process
//!   smoother.db        requests, bodies, results, calls, events, outbox, tenants, lanes, outputs
//!   smoother.db-wal    what was committed since the last checkpoint
//!   smoother.mark      how far the log was durable
//!   payloads/          bodies and results above the inline limit, one file each
//! ```
//!
//! The writes of a request are applied in memory in the order in which they were begun ([`Store::commits_in_order`] is
//! true), and one thread commits them; a write shares its commit with whatever else is there. Reads have connections of
//! their own and see what is committed; a write that was answered is committed, so they see it. Under
//! [`smoother_core::config::Durability::Relaxed`] the writes of synchronous requests are answered earlier; a read of such a request
//! waits for the commit first.
//!
//! The store fails closed. A full disk undoes the commit and tells its callers. After any other failure of a
//! commit or a checkpoint, the fsync's above all, nothing more is written and [`Opened::fatal`] resolves.
//! A log that lost what was committed is refused at the start (see `log`).
//! Every row carries a version and a checksum; a row that does not read back as it was written is an error.

mod backup;
mod begin;
mod bodies;
mod checkpoint;
mod failure;
mod files;
mod inspect;
mod log;
mod open;
mod options;
mod outbox;
mod outputs;
mod ownership;
mod payloads;
mod place;
mod queries;
mod readers;
mod room;
mod rows;
mod schema;
mod store;
mod sweep;
mod tail;
mod verify;
mod writer;

pub use backup::{BackupError, Copied, backup};
pub use options::{OpenError, OpenOptions, Opened};
pub use verify::{Report, VerifyError, verify};

use crate::lock;
use bodies::PayloadCache;
use failure::Fate;
use files::PayloadFiles;
use readers::Readers;
use smoother_core::ports::{Pending, StoreError};
use smoother_core::{LaneId, RequestId, Timestamp};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tail::OutboxTail;
use tokio::sync::oneshot;
use writer::{Early, Intake, Op, Reply};

/// Requests, calls, payloads and the outbox in one data directory.
///
/// Dropping it commits what was begun, ends its threads and lets go of the directory.
pub struct SqliteStore {
    shared: Arc<Shared>,
    intake: Arc<Intake>,
    inline_limit: usize,
    writer: Option<JoinHandle<()>>,
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    relaxed: bool,
    readers: Readers,
    files: Arc<PayloadFiles>,
    bodies: PayloadCache,
    tail: OutboxTail,
    fate: Arc<Fate>,
    /// Asked by readers, also while the writer has the rest for itself.
    early: Mutex<Early>,
    commits: AtomicU64,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Removes what reached its terminal state before `before`, has been told, and all that belongs to it.
    /// Resolves to the number of requests removed; works in small steps between other writes.
    pub async fn purge(&self, before: Timestamp) -> Result<u64, StoreError> {
        let (mut from, mut removed) = (i64::MIN, 0);
        loop {
            let step = self.begin(|reply| Op::Purge { before, from, reply }).await?;
            removed += step.requests;
            match step.go_on {
                Some(place) => from = place,
                None => return Ok(removed),
            }
        }
    }

    /// The lanes in which requests are not over, and how many there are in each.
    pub async fn open_lanes(&self) -> Result<Vec<(LaneId, u64)>, StoreError> {
        self.shared.readers.read(queries::open_lanes).await
    }

    /// The lanes in which requests that are not over may yet go on, and how many in each.
    pub async fn lanes_ahead(&self) -> Result<Vec<(LaneId, u64)>, StoreError> {
        self.shared.readers.read(queries::lanes_ahead).await
    }

    /// Commits since the store was opened.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Commits what was begun and ends the store; whatever comes later gets [`StoreError::Closed`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.begin(|reply| Op::Close { reply }).await
    }

    /// Begins a write now; the answer comes when it is durable.
    fn begin<T, E>(&self, op: impl FnOnce(Reply<T, E>) -> Op) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // Once the store is closed the reply is dropped, and the answer below says why.
        self.intake.begin(op(reply));
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            match answer.await {
                Ok(outcome) => outcome,
                Err(_) => Err(shared.fate.or_closed().into()),
            }
        })
    }

    /// Waits until reads can see the writes of this request (of any, where none is named) that were answered.
    async fn settled(&self, id: Option<RequestId>) -> Result<(), StoreError> {
        if self.shared.relaxed && lock(&self.shared.early).holds(id) {
            self.begin(|reply| Op::Barrier { reply }).await?;
        }
        Ok(())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.intake.leave();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
