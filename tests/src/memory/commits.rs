//! Writes that are begun and not yet durable.

use super::process::ProcessNo;
use super::tables::Tables;
use rand::Rng;
use rand::rngs::StdRng;
use smoother_core::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use tokio::time::Instant;

/// Applies a write to the tables and answers who began it.
pub(super) type Apply = Box<dyn FnOnce(&mut Tables, Timestamp) + Send>;

pub(super) struct Write {
    process: ProcessNo,
    pub(super) apply: Apply,
}

/// Pending writes by the moment of their commit, and by their beginning where that is the same.
#[derive(Default)]
pub(super) struct Commits {
    pending: BTreeMap<(Instant, u64), Write>,
    begun: u64,
    last_due: BTreeMap<ProcessNo, Instant>,
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl Commits {
    /// Adds a write; gives the moment of its commit.
    pub(super) fn begin(&mut self, process: ProcessNo, due: Instant, ordered: bool, apply: Apply) -> Instant {
        let mut due = due;
        if ordered {
            let last = self.last_due.entry(process).or_insert(due);
            due = due.max(*last);
            *last = due;
        }
        self.begun += 1;
        self.pending.insert((due, self.begun), Write { process, apply });
        due
    }

    /// The next write that is due by `now`.
    pub(super) fn due(&mut self, now: Instant) -> Option<Write> {
        let first = self.pending.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Takes a process's writes out, in order.
    pub(super) fn of(&mut self, process: ProcessNo) -> Vec<Apply> {
        let keys: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, write)| write.process == process)
            .map(|(key, _)| *key)
            .collect();
        keys.into_iter()
            .filter_map(|key| self.pending.remove(&key))
            .map(|write| write.apply)
            .collect()
    }

    /// What a crash leaves of a process's writes: a beginning of them where commits come in order, any of them
    /// elsewhere.
    pub(super) fn survivors(&mut self, process: ProcessNo, ordered: bool, chance: &mut StdRng) -> Vec<Apply> {
        let mut writes = self.of(process);
        if ordered {
            writes.truncate(chance.random_range(0..=writes.len()));
        } else {
            writes.retain(|_| chance.random());
        }
        writes
    }
}
