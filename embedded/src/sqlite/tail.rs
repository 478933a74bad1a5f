//! The newest end of the outbox in memory, and the bell for those who wait for it.

use crate::lock;
use smoother_core::ports::OutboxEntry;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::Notify;

/// How many entries are kept; a reader further behind reads the database.
const KEPT: usize = 1024;

/// What of the outbox is committed, and its last entries.
#[derive(Debug)]
pub(super) struct OutboxTail {
    state: Mutex<State>,
    grown: Notify,
}

#[derive(Debug)]
struct State {
    /// The last committed entry.
    last: u64,
    /// Every committed, untold entry after this one is in `entries`.
    complete_after: u64,
    entries: VecDeque<OutboxEntry>,
    closed: bool,
}

/// What a reader finds after its place.
#[derive(Debug)]
pub(super) enum Found {
    /// These.
    Entries(Vec<OutboxEntry>),
    /// The database may have some, up to this one.
    InDatabase(u64),
    /// Nothing yet.
    Nothing,
    /// The store is closed: nothing will come.
    Closed,
}

impl OutboxTail {
    /// A tail behind the entries that the database holds.
    pub fn new(last: u64) -> Self {
        Self {
            state: Mutex::new(State {
                last,
                complete_after: last,
                entries: VecDeque::new(),
                closed: false,
            }),
            grown: Notify::new(),
        }
    }

    /// These entries were committed, in this order.
    pub fn push(&self, entries: Vec<OutboxEntry>) {
        let Some(newest) = entries.last().map(|entry| entry.seq) else {
            return;
        };
        {
            let mut state = lock(&self.state);
            state.last = newest;
            state.entries.extend(entries);
            while state.entries.len() > KEPT {
                if let Some(dropped) = state.entries.pop_front() {
                    state.complete_after = dropped.seq;
                }
            }
        }
        self.grown.notify_waiters();
    }

    /// Entries up to `seq` are no longer wanted.
    pub fn told(&self, seq: u64) {
        let mut state = lock(&self.state);
        while state.entries.front().is_some_and(|entry| entry.seq <= seq) {
            state.entries.pop_front();
        }
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.grown.notify_waiters();
    }

    /// What there is after `after`. A reader that has searched the database up to `searched` is not sent there
    /// again.
    pub fn look(&self, after: u64, limit: usize, searched: u64) -> Found {
        let state = lock(&self.state);
        if state.closed {
            return Found::Closed;
        }
        if after >= state.last {
            return Found::Nothing;
        }
        if after.max(searched) < state.complete_after {
            return Found::InDatabase(state.complete_after);
        }
        let entries: Vec<_> = state
            .entries
            .iter()
            .filter(|entry| entry.seq > after)
            .take(limit)
            .cloned()
            .collect();
        if entries.is_empty() {
            Found::Nothing
        } else {
            Found::Entries(entries)
        }
    }

    /// Resolves at the next growth after this future was first polled or enabled.
    pub fn grown(&self) -> tokio::sync::futures::Notified<'_> {
        self.grown.notified()
    }
}
