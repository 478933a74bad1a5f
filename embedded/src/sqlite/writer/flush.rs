//! The batch becomes a transaction.

use super::Writer;
use super::batch::Batch;
use super::table::{Dirty, Row};
use crate::lock;
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::rows::{encode, signed, state_number, sum_of};
use crate::sqlite::schema::ROW_VERSION;
use rusqlite::{Connection, params};
use smoother_core::metrics::{COMMIT_SECONDS, COMMIT_WRITES, OUTBOX_PENDING};
use smoother_core::ports::{OutboxEntry, PayloadKind, PayloadRef, StoreError};
use smoother_core::{Millis, RequestId};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How far ahead of the clock its stored bound is set: it is written that much less often.
const AHEAD: Millis = Millis::new(100);

/// Pages of log that a request's changes take, about; for the checkpoints' count.
const PAGES_A_ROW: usize = 6;
const PAGE: usize = 4_096;

impl Writer {
    /// Makes the batch durable and answers everybody in it.
    pub(super) fn commit(&mut self) {
        if self.batch.is_empty() {
            self.batch = Batch::default();
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        if !batch.writes_rows() {
            batch.finish(Ok(()));
            return;
        }
        if let Some(why) = self.shared.fate.stopped() {
            batch.finish(Err(&why));
            return;
        }
        let started = Instant::now();
        match self.write(&batch) {
            Ok(written) => {
                metrics::histogram!(COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
                metrics::histogram!(COMMIT_WRITES).record(count(batch.writes));
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                self.committed(batch, written);
            }
            Err(error) => self.failed(batch, &error),
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, StoreError> {
        let gate = self.checkpoints.gate();
        let _held = lock(&gate);
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let mut written = Written::default();
        for id in &batch.dirty {
            let Some(row) = self.table.get(*id) else { continue };
            let Some(dirty) = &row.dirty else { continue };
            write_request(&self.conn, row, dirty)?;
        }
        for id in &batch.ended {
            let Some(row) = self.table.get(*id) else { continue };
            let seq = self.next_seq;
            self.next_seq += 1;
            execute(
                &self.conn,
                "INSERT INTO outbox (seq, v, place) VALUES (?1, ?2, ?3)",
                params![signed(seq), ROW_VERSION, row.place],
            )?;
            written.ended.push(OutboxEntry {
                seq,
                request: row.request.clone(),
            });
        }
        self.write_rest(batch, &mut written)?;
        run(&self.conn, "COMMIT")?;
        Ok(written)
    }

    fn write_rest(&mut self, batch: &Batch, written: &mut Written) -> Result<(), StoreError> {
        let conn = &self.conn;
        for (lane, count) in &batch.days {
            let sql = "INSERT INTO lanes (name, v, day, tokens) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO UPDATE SET day = excluded.day, tokens = excluded.tokens
                       WHERE (lanes.day, lanes.tokens) < (excluded.day, excluded.tokens)";
            let (day, tokens) = (signed(count.day), signed(count.tokens.get()));
            execute(conn, sql, params![lane.as_str(), ROW_VERSION, day, tokens])?;
        }
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
            self.ahead = ahead;
        }
        Ok(())
    }

    fn committed(&mut self, batch: Batch, written: Written) {
        for id in &batch.dirty {
            let Some(row) = self.table.get(*id) else { continue };
            row.dirty = None;
            if row.request.state.is_terminal() {
                self.shared.bodies.forget(*id, PayloadKind::Body);
                self.shared.bodies.forget(*id, PayloadKind::Result);
                self.table.remove(*id);
            }
        }
        self.table.age();
        self.forget_early();
        self.pending = (self.pending + written.ended.len() as u64).saturating_sub(written.told as u64);
        show_pending(self.pending);
        self.shared.tail.push(written.ended);
        if let Some(seq) = batch.told {
            self.shared.tail.told(seq);
        }
        let pages = 2 + batch.dirty.len() * PAGES_A_ROW + batch.bytes / PAGE;
        self.checkpoints.grown(pages as u64);
        batch.finish(Ok(()));
    }

    /// Nothing of the batch is stored: memory goes back to what is. Only a full disk lets the store go on, and
    /// only when the database says that the transaction is undone.
    fn failed(&mut self, batch: Batch, error: &StoreError) {
        let undone = self.conn.is_autocommit() || run(&self.conn, "ROLLBACK").is_ok();
        let full = matches!(error, StoreError::Full(_));
        for id in &batch.dirty {
            self.shared.bodies.forget(*id, PayloadKind::Body);
            self.shared.bodies.forget(*id, PayloadKind::Result);
        }
        self.table.clear();
        self.tenants.clear();
        self.forget_early();
        if full && undone {
            tracing::error!(%error, writes = batch.writes, "a commit was undone; its callers are told");
            self.remove_files(&batch.named);
        } else {
            self.shared.fate.stop(error.clone());
        }
        batch.finish(Err(error));
    }

    fn forget_early(&self) {
        if self.shared.relaxed {
            lock(&self.shared.early).clear();
        }
    }

    pub(super) fn remove_files(&self, keys: &[String]) {
        for key in keys {
            self.shared.files.remove(key);
        }
    }
}

/// What a transaction wrote that others must hear of.
#[derive(Debug, Default)]
struct Written {
    ended: Vec<OutboxEntry>,
    told: usize,
}

fn write_request(conn: &Connection, row: &Row, dirty: &Dirty) -> Result<(), StoreError> {
    if dirty.new {
        insert_request(conn, row)?;
    } else if dirty.changed {
        update_request(conn, row, dirty.moved)?;
    }
    write_payload(conn, "bodies", row.place, dirty.body.as_ref())?;
    write_payload(conn, "results", row.place, dirty.result.as_ref())?;
    for call in &dirty.calls {
        let stored = encode(call)?;
        let sql = "INSERT INTO calls (place, number, v, lane, settled, charged_at, sum, data)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (place, number) DO UPDATE
                   SET settled = excluded.settled, sum = excluded.sum, data = excluded.data";
        let settled = i64::from(call.settlement.is_some());
        let charged_at = signed(call.charged_at.as_millis());
        let (number, lane) = (call.number.get(), call.lane.as_str());
        execute(
            conn,
            sql,
            params![
                row.place,
                number,
                ROW_VERSION,
                lane,
                settled,
                charged_at,
                stored.sum,
                stored.data
            ],
        )?;
    }
    if let Some((first, ..)) = dirty.events.first() {
        let data = encode(&dirty.events)?.data;
        let data = String::from_utf8_lossy(&data);
        execute(
            conn,
            "INSERT INTO events (place, rev, v, data) VALUES (?1, ?2, ?3, ?4)",
            params![row.place, signed(first.get()), ROW_VERSION, data],
        )?;
    }
    Ok(())
}

fn insert_request(conn: &Connection, row: &Row) -> Result<(), StoreError> {
    let request = &row.request;
    let stored = encode(request)?;
    let sql = "INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, sum, data)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let open = (!request.state.is_terminal()).then_some(1);
    let values = params![
        row.place,
        id_bytes(&request.id),
        ROW_VERSION,
        request.tenant.as_str(),
        request.lane.as_str(),
        state_number(request.state),
        open,
        request.ended_at.map(|at| signed(at.as_millis())),
        stored.sum,
        stored.data
    ];
    execute(conn, sql, values).map(drop)
}

/// Leaves alone the columns that have indexes, unless they change: SQLite would rewrite those too.
fn update_request(conn: &Connection, row: &Row, moved: bool) -> Result<(), StoreError> {
    let request = &row.request;
    let stored = encode(request)?;
    let state = state_number(request.state);
    if !moved && !request.state.is_terminal() {
        let sql = "UPDATE requests SET state = ?2, sum = ?3, data = ?4 WHERE place = ?1";
        return execute(conn, sql, params![row.place, state, stored.sum, stored.data]).map(drop);
    }
    let sql = "UPDATE requests SET state = ?2, sum = ?3, data = ?4, lane = ?5, open = ?6, ended_at = ?7
               WHERE place = ?1";
    let open = (!request.state.is_terminal()).then_some(1);
    let ended_at = request.ended_at.map(|at| signed(at.as_millis()));
    let lane = request.lane.as_str();
    execute(
        conn,
        sql,
        params![row.place, state, stored.sum, stored.data, lane, open, ended_at],
    )
    .map(drop)
}

fn write_payload(
    conn: &Connection,
    table: &'static str,
    place: i64,
    payload: Option<&PayloadRef>,
) -> Result<(), StoreError> {
    let sql = match table {
        "bodies" => "INSERT INTO bodies (place, v, sum, data, file) VALUES (?1, ?2, ?3, ?4, ?5)",
        _ => "INSERT INTO results (place, v, sum, data, file) VALUES (?1, ?2, ?3, ?4, ?5)",
    };
    let written = match payload {
        None => return Ok(()),
        Some(PayloadRef::Inline(bytes)) => {
            let data: &[u8] = bytes;
            execute(
                conn,
                sql,
                params![place, ROW_VERSION, sum_of(data), data, None::<&str>],
            )
        }
        Some(PayloadRef::Held { key, .. }) => execute(
            conn,
            sql,
            params![place, ROW_VERSION, None::<i64>, None::<&[u8]>, key],
        ),
    };
    written.map(drop)
}

/// Runs a cached statement; gives the number of rows it changed.
pub(super) fn execute(
    conn: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(|error| of_sqlite(&error))
}

pub(super) fn run(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    execute(conn, sql, []).map(drop)
}

fn id_bytes(id: &RequestId) -> &[u8] {
    id.as_bytes()
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
