//! The one writer: a thread that takes writes in the order in which they were begun.
//!
//! Each write is applied in memory at once and answered after the commit that holds it. A commit comes as soon
//! as the queue is empty and something urgent is in the batch; whatever arrives during its fsync makes the
//! next one. An arrival, its release and its claim are three writes of one commit, because only the claim is
//! urgent; and a row that changed three times in a batch is written once.

mod apply;
mod batch;
mod bulk;
mod flush;
mod op;
mod purge;
mod recover;
mod statements;
mod table;

pub(super) use op::{End, Op, Reply};

use super::Shared;
use super::checkpoint::{Checkpoints, checkpoint};
use super::failure::{of_io, of_sqlite};
use super::log::Mark;
use super::ownership::Ownership;
use super::place::Places;
use super::readers::let_log_go;
use batch::Batch;
use op::Urgency;
use rusqlite::Connection;
use smoother_core::ports::{Clock, StoreError};
use smoother_core::{TenantId, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use table::Table;

/// What the writer begins with.
pub(super) struct Start {
    pub conn: Connection,
    pub shared: Arc<Shared>,
    pub clock: Arc<dyn Clock>,
    pub checkpoints: Checkpoints,
    pub mark: Arc<Mark>,
    pub ownership: Ownership,
    pub newest_place: i64,
    pub next_seq: u64,
    pub pending: u64,
    /// The stored bound of every stored time.
    pub ahead: Timestamp,
}

/// The writer's state.
pub(super) struct Writer {
    conn: Connection,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    checkpoints: Checkpoints,
    mark: Arc<Mark>,
    /// Let go of last, when nothing is written any more.
    _ownership: Ownership,
    table: Table,
    batch: Batch,
    places: Places,
    newest_place_at_start: i64,
    tenants: HashSet<TenantId>,
    next_seq: u64,
    pending: u64,
    ahead: Timestamp,
    /// The last commit failed, and may be found after a crash all the same.
    unsure: bool,
}

impl Writer {
    pub fn new(start: Start) -> Self {
        flush::show_pending(start.pending);
        Self {
            conn: start.conn,
            shared: start.shared,
            clock: start.clock,
            checkpoints: start.checkpoints,
            mark: start.mark,
            _ownership: start.ownership,
            table: Table::default(),
            batch: Batch::default(),
            places: Places::default(),
            newest_place_at_start: start.newest_place,
            tenants: HashSet::new(),
            next_seq: start.next_seq,
            pending: start.pending,
            ahead: start.ahead,
            unsure: false,
        }
    }

    /// Serves until the store is closed or dropped.
    pub fn run(mut self, ops: &Receiver<Op>) {
        let _guard = EndsLoudly(Arc::clone(&self.shared));
        let mut closing = None;
        while closing.is_none() {
            let Ok(op) = ops.recv() else { break };
            closing = self.take(op);
            if closing.is_none() {
                closing = self.gather(ops);
            }
            self.commit();
        }
        self.finish(closing);
    }

    /// Takes what else there is, until the batch is due.
    fn gather(&mut self, ops: &Receiver<Op>) -> Option<Reply<()>> {
        while !self.batch.is_large() {
            let next = match ops.try_recv() {
                Ok(op) => Ok(op),
                Err(_) => match self.batch.time_left() {
                    Some(left) => ops.recv_timeout(left),
                    None => return None,
                },
            };
            let closing = self.take(next.ok()?);
            if closing.is_some() {
                return closing;
            }
        }
        None
    }

    /// Applies one write. Gives back where to answer if it was the last.
    fn take(&mut self, op: Op) -> Option<Reply<()>> {
        if let Some(why) = self.shared.fate.stopped() {
            refuse(op, &why);
            return None;
        }
        match op {
            Op::Insert { new, reply } => self.insert(*new, reply),
            Op::Change { id, change, reply } => self.change(id, &change, reply),
            Op::End { id, end, reply } => self.end(id, *end, reply),
            Op::Answer {
                id,
                change,
                result,
                reply,
            } => self.answer_row(id, &change, result, reply),
            Op::KeepMemory { lane, memory, reply } => self.keep_memory(lane, *memory, reply),
            Op::KeepDay { lane, count, reply } => self.keep_day(lane, count, reply),
            Op::KeepOutputs { learned, reply } => {
                self.batch.outputs.extend(learned);
                self.batch.note(Urgency::Whenever);
                self.batch.answer(reply, Ok(()));
            }
            Op::Told { seq, reply } => self.told(seq, reply),
            Op::Recover { lane, since, reply } => self.recover(&lane, since, reply),
            Op::Purge { before, from, reply } => self.purge(before, from, reply),
            Op::Barrier { reply } => {
                self.batch.note(Urgency::Now);
                self.batch.answer(reply, Ok(()));
            }
            Op::Close { reply } => return Some(reply),
        }
        None
    }

    /// The last things: the log copied back, so that the next start reads no log.
    fn finish(&mut self, closing: Option<Reply<()>>) {
        self.checkpoints.stop();
        self.shared.readers.close();
        self.shared.tail.close();
        let outcome = match self.shared.fate.stopped() {
            Some(why) => Err(why),
            None => self.empty_log(),
        };
        if let Some(reply) = closing {
            let _ = reply.send(outcome);
        }
    }
}

impl Writer {
    /// Withdraws the mark, then copies the log back and lets it go. Whatever fails leaves a log that is whole.
    fn empty_log(&self) -> Result<(), StoreError> {
        self.mark
            .forget()
            .map_err(|error| of_io("smoother.mark", &error))?;
        checkpoint(&self.conn, "TRUNCATE")
            .and_then(|_| let_log_go(&self.conn))
            .map_err(|error| of_sqlite(&error))
    }
}

/// Answers a write that can no longer be made.
fn refuse(op: Op, why: &StoreError) {
    fn say<T, E: From<StoreError>>(reply: Reply<T, E>, why: &StoreError) {
        let _ = reply.send(Err(why.clone().into()));
    }
    match op {
        Op::Insert { reply, .. } => say(reply, why),
        Op::Change { reply, .. } | Op::Answer { reply, .. } => say(reply, why),
        Op::End { reply, .. } => say(reply, why),
        Op::KeepDay { reply, .. }
        | Op::KeepMemory { reply, .. }
        | Op::KeepOutputs { reply, .. }
        | Op::Told { reply, .. } => say(reply, why),
        Op::Recover { reply, .. } => say(reply, why),
        Op::Purge { reply, .. } => say(reply, why),
        Op::Barrier { reply } | Op::Close { reply } => say(reply, why),
    }
}

/// Stops the store if the writer ends by a panic.
struct EndsLoudly(Arc<Shared>);

impl Drop for EndsLoudly {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.0.fate.stop(StoreError::Failed(
            "the store's writer ended unexpectedly".to_owned(),
        ));
    }
}
