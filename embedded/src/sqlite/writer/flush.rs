//! The batch becomes a transaction.

use super::Writer;
use super::applied::{Applied, Sealed};
use super::batch::Batch;
use super::statements::{execute, run, write_request};
use crate::lock;
use crate::sqlite::failure::{is_index_full, of_sqlite};
use crate::sqlite::outputs;
use crate::sqlite::rows::{encode, signed};
use crate::sqlite::schema::ROW_VERSION;
use rusqlite::params;
use smoother_core::metrics::{COMMIT_SECONDS, COMMIT_WRITES, OUTBOX_PENDING};
use smoother_core::ports::{OutboxEntry, StoreError};
use smoother_core::{Millis, Request, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How far ahead of the clock its stored bound is set: it is written that much less often.
const AHEAD: Millis = Millis::new(100);

/// Pages of log that a request's changes take, about; for the checkpoints' count.
const PAGES_A_ROW: usize = 6;
const PAGE: usize = 4_096;

impl Writer {
    /// Commits what is applied, while more is applied by those who bring it.
    pub(super) fn commit(&mut self) {
        let intake = Arc::clone(&self.intake);
        let Some(sealed) = intake.with(Applied::seal) else {
            return;
        };
        let settled = self.write_out(&sealed);
        let since = intake.with(|applied| settled.tell(applied, &sealed));
        self.finish_commit(sealed, settled, since.flatten());
    }

    /// Commits what is applied, which the writer has for itself.
    pub(super) fn commit_own(&mut self, applied: &mut Applied) {
        let sealed = applied.seal();
        let settled = self.write_out(&sealed);
        let since = settled.tell(applied, &sealed);
        self.finish_commit(sealed, settled, since);
    }

    fn write_out(&mut self, sealed: &Sealed) -> Settled {
        if !sealed.batch.writes_rows() {
            return Settled::Empty;
        }
        if let Some(why) = self.shared.fate.stopped() {
            return Settled::Stopped(why);
        }
        let started = Instant::now();
        match self.write(sealed) {
            Ok(written) => {
                metrics::histogram!(COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
                metrics::histogram!(COMMIT_WRITES).record(count(sealed.batch.writes));
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                Settled::Stored(written)
            }
            Err(error) => self.failed(error),
        }
    }

    /// Nothing of it is stored. Only a full disk lets the store go on, and only when the database says that the
    /// transaction is undone. Otherwise the store stops before anybody builds on what memory goes back to.
    fn failed(&self, error: StoreError) -> Settled {
        let undone = self.conn.is_autocommit() || run(&self.conn, "ROLLBACK").is_ok();
        if undone && matches!(error, StoreError::Full(_)) {
            return Settled::Undone(error);
        }
        self.shared.fate.stop(error.clone());
        Settled::Stopped(error)
    }

    fn write(&mut self, sealed: &Sealed) -> Result<Written, StoreError> {
        let gate = self.checkpoints.gate();
        let _held = lock(&gate);
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let mut written = Written::default();
        for row in &sealed.rows {
            write_request(&self.conn, row)?;
        }
        for (place, request) in &sealed.ended {
            let seq = self.next_seq;
            self.next_seq += 1;
            execute(
                &self.conn,
                "INSERT INTO outbox (seq, v, place) VALUES (?1, ?2, ?3)",
                params![signed(seq), ROW_VERSION, place],
            )?;
            written.ended.push(OutboxEntry {
                seq,
                request: Request::clone(request),
            });
        }
        self.write_rest(&sealed.batch, &mut written)?;
        self.end_transaction()?;
        Ok(written)
    }

    fn end_transaction(&mut self) -> Result<(), StoreError> {
        let ended = self
            .conn
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        ended.map(drop).map_err(|error| {
            self.unsure = is_index_full(&error);
            of_sqlite(&error)
        })
    }

    fn write_rest(&self, batch: &Batch, written: &mut Written) -> Result<(), StoreError> {
        let conn = &self.conn;
        for (lane, count) in &batch.days {
            let sql = "INSERT INTO lanes (name, v, day, tokens) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO UPDATE SET day = excluded.day, tokens = excluded.tokens
                       WHERE (lanes.day, lanes.tokens) < (excluded.day, excluded.tokens)";
            let (day, tokens) = (signed(count.day), signed(count.tokens.get()));
            execute(conn, sql, params![lane.as_str(), ROW_VERSION, day, tokens])?;
        }
        for (lane, memory) in &batch.memories {
            let sql = "INSERT INTO memories (lane, v, sum, data) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (lane) DO UPDATE SET v = excluded.v, sum = excluded.sum, data = excluded.data";
            let stored = encode(memory)?;
            execute(
                conn,
                sql,
                params![lane.as_str(), ROW_VERSION, stored.sum, stored.data],
            )?;
        }
        outputs::write(conn, &batch.outputs)?;
        let now = self.clock.now();
        for tenant in &batch.tenants {
            let sql = "INSERT OR IGNORE INTO tenants (name, v, first_seen) VALUES (?1, ?2, ?3)";
            execute(
                conn,
                sql,
                params![tenant.as_str(), ROW_VERSION, signed(now.as_millis())],
            )?;
        }
        if let Some(seq) = batch.told {
            written.told = execute(conn, "DELETE FROM outbox WHERE seq <= ?1", params![signed(seq)])?;
        }
        if now >= self.ahead {
            let ahead = now + AHEAD;
            let sql = "INSERT INTO clock (only, v, ahead) VALUES (1, ?1, ?2)
                       ON CONFLICT (only) DO UPDATE SET ahead = excluded.ahead";
            execute(conn, sql, params![ROW_VERSION, signed(ahead.as_millis())])?;
            written.ahead = Some(ahead);
        }
        Ok(())
    }

    /// Tells everybody in the batch what became of it.
    fn finish_commit(&mut self, sealed: Sealed, settled: Settled, since: Option<Batch>) {
        match settled {
            Settled::Empty => sealed.batch.finish(Ok(())),
            Settled::Stored(written) => self.committed(sealed, written),
            Settled::Undone(error) => self.undone(sealed, since.unwrap_or_default(), &error),
            Settled::Stopped(error) => {
                sealed.batch.finish(Err(&error));
                since.unwrap_or_default().finish(Err(&error));
            }
        }
    }

    fn committed(&mut self, sealed: Sealed, written: Written) {
        self.ahead = written.ahead.unwrap_or(self.ahead);
        self.pending = (self.pending + written.ended.len() as u64).saturating_sub(written.told as u64);
        show_pending(self.pending);
        self.shared.tail.push(written.ended);
        if let Some(seq) = sealed.batch.told {
            self.shared.tail.told(seq);
        }
        let pages = 2 + sealed.rows.len() * PAGES_A_ROW + sealed.batch.bytes / PAGE;
        self.checkpoints.grown(pages as u64);
        sealed.batch.finish(Ok(()));
    }

    /// Nothing of the batch is stored, nor of what was applied `since`; the store goes on.
    fn undone(&mut self, sealed: Sealed, since: Batch, error: &StoreError) {
        let writes = sealed.batch.writes + since.writes;
        tracing::error!(%error, writes, "a commit was undone; its callers are told");
        self.remove_files(&since.named);
        // A commit that may yet be found after a crash keeps its files; else the next start removes them.
        if !std::mem::take(&mut self.unsure) {
            self.remove_files(&sealed.batch.named);
        }
        self.checkpoints.wanted();
        sealed.batch.finish(Err(error));
        since.finish(Err(error));
    }

    fn remove_files(&self, keys: &[String]) {
        for key in keys {
            self.shared.files.remove(key);
        }
    }
}

/// What became of a commit.
enum Settled {
    /// It held no rows.
    Empty,
    Stored(Written),
    /// There was no room; the store goes on.
    Undone(StoreError),
    /// Nobody knows what the disk holds: the store has stopped.
    Stopped(StoreError),
}

impl Settled {
    /// Brings memory to what is stored now. Gives back what was applied since and fails too.
    fn tell(&self, applied: &mut Applied, sealed: &Sealed) -> Option<Batch> {
        match self {
            Self::Empty => None,
            Self::Stored(_) => {
                applied.stored(sealed);
                None
            }
            Self::Undone(_) | Self::Stopped(_) => Some(applied.undo(sealed)),
        }
    }
}

/// What a transaction wrote that others must hear of.
#[derive(Debug, Default)]
struct Written {
    ended: Vec<OutboxEntry>,
    told: usize,
    /// The new bound of every stored time.
    ahead: Option<Timestamp>,
}

/// Terminal states not yet told.
pub(super) fn show_pending(entries: u64) {
    metrics::gauge!(OUTBOX_PENDING).set(count(usize::try_from(entries).unwrap_or(usize::MAX)));
}

/// A count as metrics take it.
#[allow(clippy::cast_precision_loss)]
fn count(number: usize) -> f64 {
    number as f64
}
