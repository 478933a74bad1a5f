//! What the next commit will hold.

use super::op::{Reply, Urgency};
use crate::sqlite::outputs::Learned;
use smoother_core::ports::{DayCount, LaneMemory, StoreError};
use smoother_core::{LaneId, RequestId, TenantId};
use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

/// With so many requests a batch takes no further ones.
const MOST_REQUESTS: usize = 1_024;
/// With so many bytes of payloads neither.
const MOST_BYTES: usize = 8 * 1024 * 1024;

type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// Writes that are applied in memory and not yet in the database.
#[derive(Default)]
pub(super) struct Batch {
    /// Requests with changes, in the order of their first.
    pub dirty: Vec<RequestId>,
    /// Those that reached their terminal state, in that order.
    pub ended: Vec<RequestId>,
    pub days: HashMap<LaneId, DayCount>,
    pub memories: HashMap<LaneId, LaneMemory>,
    pub outputs: Learned,
    pub tenants: Vec<TenantId>,
    pub told: Option<u64>,
    pub bytes: usize,
    pub writes: usize,
    /// Payload files that nothing names if the commit fails.
    pub named: Vec<String>,
    answers: Vec<Answer>,
    begun: Option<Instant>,
    due: Option<Instant>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("dirty", &self.dirty.len())
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

impl Batch {
    /// One more write, which may wait this long.
    pub fn note(&mut self, urgency: Urgency) {
        let now = Instant::now();
        self.begun.get_or_insert(now);
        let due = now + urgency.patience();
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.writes += 1;
    }

    /// When it is to be committed; `None` if nothing is in it.
    pub fn due(&self) -> Option<Instant> {
        if self.is_large() { self.begun } else { self.due }
    }

    pub fn is_large(&self) -> bool {
        self.dirty.len() >= MOST_REQUESTS || self.bytes >= MOST_BYTES
    }

    /// Whether there is something to write, and not only answers to give.
    pub fn writes_rows(&self) -> bool {
        !self.dirty.is_empty()
            || !self.days.is_empty()
            || !self.memories.is_empty()
            || !self.outputs.is_empty()
            || !self.tenants.is_empty()
            || self.told.is_some()
    }

    /// Gives `outcome` once the batch is durable, or the error that kept it from being so.
    pub fn answer<T, E>(&mut self, reply: Reply<T, E>, outcome: Result<T, E>)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.answers.push(Box::new(move |fate| {
            // Whoever asked may have gone: the write stands all the same.
            let _ = reply.send(match fate {
                Ok(()) => outcome,
                Err(error) => Err(error.clone().into()),
            });
        }));
    }

    /// Tells everybody what became of the batch.
    pub fn finish(self, fate: Result<(), &StoreError>) {
        for answer in self.answers {
            answer(fate);
        }
    }
}
