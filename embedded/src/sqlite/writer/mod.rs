//! The one writer: writes are applied in memory as they come, and a thread commits them.
//!
//! Whoever brings a write applies it ([`Intake`]); it is answered after the commit that holds it. A commit comes as
//! soon as something urgent is in the batch and the commit before is through; whatever arrives during its fsync
//! makes the next one. An arrival, its release and its claim are three writes of one commit, because only the claim
//! is urgent; and a row that changed three times in a batch is written once. A commit that fails takes with it what
//! was applied since, because that rests on it.

mod applied;
mod apply;
mod batch;
mod bulk;
mod early;
mod flush;
mod intake;
mod load;
mod op;
mod purge;
mod queue;
mod recent;
mod recover;
mod statements;
mod table;
#[cfg(test)]
mod testing;

pub(super) use applied::Applied;
pub(super) use early::Early;
pub(super) use intake::Intake;
pub(super) use op::{End, Op, Reply};

use super::Shared;
use super::checkpoint::{Checkpoints, checkpoint};
use super::failure::{of_io, of_sqlite};
use super::log::Mark;
use super::ownership::Ownership;
use super::readers::let_log_go;
use intake::{StopsAtPanic, Task};
use load::load;
use rusqlite::Connection;
use smoother_core::Timestamp;
use smoother_core::ports::{Clock, StoreError};
use std::sync::Arc;

/// What the writer begins with.
pub(super) struct Start {
    pub conn: Connection,
    pub shared: Arc<Shared>,
    pub intake: Arc<Intake>,
    pub clock: Arc<dyn Clock>,
    pub checkpoints: Checkpoints,
    pub mark: Arc<Mark>,
    pub ownership: Ownership,
    pub next_seq: u64,
    pub pending: u64,
    /// The stored bound of every stored time.
    pub ahead: Timestamp,
}

/// The writer's state.
pub(super) struct Writer {
    conn: Connection,
    shared: Arc<Shared>,
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    checkpoints: Checkpoints,
    mark: Arc<Mark>,
    /// Let go of last, when nothing is written any more.
    _ownership: Ownership,
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
            intake: start.intake,
            clock: start.clock,
            checkpoints: start.checkpoints,
            mark: start.mark,
            _ownership: start.ownership,
            next_seq: start.next_seq,
            pending: start.pending,
            ahead: start.ahead,
            unsure: false,
        }
    }

    /// Serves until the store is closed or dropped.
    pub fn run(mut self) {
        let _guard = EndsLoudly(Arc::clone(&self.shared), Arc::clone(&self.intake));
        let intake = Arc::clone(&self.intake);
        loop {
            match intake.next() {
                Task::Commit => self.commit(),
                Task::Queue(applied) => {
                    if let Some(closing) = self.work_off(applied) {
                        return self.finish(Some(closing));
                    }
                }
                Task::End => {
                    self.commit();
                    return self.finish(None);
                }
            }
        }
    }

    /// Applies what is in the queue until it is empty, and commits in between when the batch is large. Gives back
    /// where to answer if the store is to be closed.
    fn work_off(&mut self, mut applied: Box<Applied>) -> Option<Reply<()>> {
        let (intake, shared) = (Arc::clone(&self.intake), Arc::clone(&self.shared));
        // Dropped before `applied`, so that the store stops before the replies go with that.
        let _stops = StopsAtPanic::new(&shared.fate);
        loop {
            let (op, own) = intake.pop(applied)?;
            applied = own;
            match op {
                op if self.shared.fate.stopped().is_some() => op.refuse(&self.shared.fate.or_closed()),
                Op::Close { reply } => {
                    self.commit_own(&mut applied);
                    intake.end();
                    return Some(reply);
                }
                Op::Recover { lane, since, reply } => self.recover(&mut applied, &lane, since, reply),
                Op::Purge { before, from, reply } => self.purge(&mut applied, before, from, reply),
                op => match load(&self.conn, &mut applied, &op) {
                    Ok(()) => applied.apply(op),
                    Err(error) => self.give_up(op, &error),
                },
            }
            if applied.batch.is_large() {
                self.commit_own(&mut applied);
            }
        }
    }

    /// A write of which the database could not say what it knows.
    fn give_up(&self, op: Op, why: &StoreError) {
        if let Some(key) = op.held_key() {
            self.shared.files.remove(key);
        }
        op.refuse(why);
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

/// Whatever way the writer ends, nothing is taken in after it; if by a panic, the store stops.
struct EndsLoudly(Arc<Shared>, Arc<Intake>);

impl Drop for EndsLoudly {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fate.stop(StoreError::Failed(
                "the store's writer ended unexpectedly".to_owned(),
            ));
        }
        self.1.end();
    }
}
