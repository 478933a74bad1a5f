//! One request's log.

use crate::lock;
use smoother_core::State;
use smoother_core::ports::{Ended, Update};
use std::sync::Mutex;
use tokio::sync::Notify;

/// What somebody does with a log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    /// Reads it.
    Reader,
    /// Runs the request's call and listens for an abort.
    Runner,
}

/// The updates of the current call, and who uses them.
#[derive(Debug)]
pub(super) struct Log {
    state: Mutex<LogState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct LogState {
    /// How often a new call has emptied the log.
    resets: u64,
    updates: Vec<Update>,
    ended: bool,
    /// Made after the request's end was told.
    late: bool,
    aborted: bool,
    /// An end told without its result while the runner, who has it, is about to tell it.
    withheld: Option<Update>,
    readers: usize,
    runners: usize,
}

impl LogState {
    /// Whether nobody uses the log and nothing more can come of it.
    fn is_over(&self) -> bool {
        let done = self.ended || self.late || self.updates.is_empty();
        done && self.readers == 0 && self.runners == 0
    }

    fn end(&mut self, update: Update) {
        self.ended = true;
        self.updates.push(update);
    }
}

/// Where a reader stands in a log.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    resets: u64,
    index: usize,
}

/// What a reader finds at its place.
#[derive(Debug)]
pub(super) enum Found {
    Update(Update),
    /// It has read everything; more may come.
    Nothing,
    /// It has read the end.
    End,
}

impl Log {
    pub fn new(late: bool) -> Self {
        Self {
            state: Mutex::new(LogState {
                late,
                ..LogState::default()
            }),
            changed: Notify::new(),
        }
    }

    pub fn join(&self, role: Role) {
        let mut state = lock(&self.state);
        match role {
            Role::Reader => state.readers += 1,
            Role::Runner => state.runners += 1,
        }
    }

    /// One user less; whether the log is over.
    pub fn leave(&self, role: Role) -> bool {
        let mut state = lock(&self.state);
        match role {
            Role::Reader => state.readers = state.readers.saturating_sub(1),
            Role::Runner => {
                state.runners = state.runners.saturating_sub(1);
                if state.runners == 0
                    && !state.ended
                    && let Some(end) = state.withheld.take()
                {
                    state.end(end);
                    self.changed.notify_waiters();
                }
            }
        }
        state.is_over()
    }

    pub fn is_over(&self) -> bool {
        lock(&self.state).is_over()
    }

    /// Whether its request's end was told, in it or before it was made.
    pub fn is_of_an_end(&self) -> bool {
        let state = lock(&self.state);
        state.ended || state.late
    }

    pub fn readers(&self) -> usize {
        lock(&self.state).readers
    }

    pub fn append(&self, update: Update) {
        {
            let mut state = lock(&self.state);
            if state.ended {
                return;
            }
            match &update {
                Update::Call(_) => {
                    state.resets += 1;
                    state.updates.clear();
                    state.updates.push(update);
                }
                Update::Ended(end) if state.runners > 0 && lacks_result(end) => {
                    state.withheld = Some(update);
                }
                Update::Ended(_) | Update::NotStored(_) => state.end(update),
                Update::State(_) | Update::Head(_) | Update::Frame(_) => state.updates.push(update),
            }
        }
        self.changed.notify_waiters();
    }

    pub fn abort(&self) {
        lock(&self.state).aborted = true;
        self.changed.notify_waiters();
    }

    /// Reads at `place` and moves it on; a reset since the last look moves it to the new call's beginning.
    fn read(&self, place: &mut Place) -> Found {
        let state = lock(&self.state);
        if place.resets != state.resets {
            *place = Place {
                resets: state.resets,
                index: 0,
            };
        }
        match state.updates.get(place.index) {
            Some(update) => {
                place.index += 1;
                Found::Update(update.clone())
            }
            None if state.ended => Found::End,
            None => Found::Nothing,
        }
    }

    /// The next update, or `None` after the end.
    pub async fn next(&self, place: &mut Place) -> Option<Update> {
        loop {
            // Listening comes first, so that an update between the look and the wait is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.read(place) {
                Found::Update(update) => return Some(update),
                Found::End => return None,
                Found::Nothing => changed.await,
            }
        }
    }

    /// Resolves once the request was aborted or has ended.
    pub async fn stopped(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = lock(&self.state);
                if state.aborted || state.ended || state.withheld.is_some() {
                    return;
                }
            }
            changed.await;
        }
    }
}

/// Whether there is a result that whoever tells this end does not have at hand.
fn lacks_result(end: &Ended) -> bool {
    end.result.is_none() && end.request.state == State::Completed
}
