//! Where writes come in.
//!
//! A write is applied by whoever brings it, while the writer's thread is busy with the commit before: under
//! `relaxed` that is all its caller waits for. What memory alone cannot judge waits in a queue for the writer, which
//! asks the database between two commits; later writes of the same request queue behind it, others go by.

use super::applied::Applied;
use super::op::Op;
use super::queue::Queue;
use crate::lock;
use crate::sqlite::failure::Fate;
use smoother_core::ports::StoreError;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The callers' side and the writer's side of what is applied and not yet committed.
#[derive(Debug)]
pub(in crate::sqlite) struct Intake {
    state: Mutex<State>,
    bell: Condvar,
    fate: Arc<Fate>,
}

#[derive(Debug)]
struct State {
    /// `None` while the writer has it for itself.
    applied: Option<Box<Applied>>,
    queue: Queue,
    /// Until when the writer sleeps unless the bell is rung; `None` while it is awake.
    sleeps: Option<Until>,
    /// Nobody brings writes any more.
    left: bool,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    Moment(Instant),
    Rung,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) enum Task {
    /// Work off the queue: [`Intake::pop`] until there is nothing more.
    Queue(Box<Applied>),
    /// Commit what is applied.
    Commit,
    /// Commit what is applied, and end.
    End,
}

impl Intake {
    pub fn new(applied: Applied, fate: Arc<Fate>) -> Self {
        Self {
            state: Mutex::new(State {
                applied: Some(Box::new(applied)),
                queue: Queue::default(),
                sleeps: None,
                left: false,
                ended: false,
            }),
            bell: Condvar::new(),
            fate,
        }
    }

    /// Takes a write in. After the end its reply is dropped.
    pub fn begin(&self, op: Op) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        if let Some(why) = self.fate.stopped() {
            drop(guard);
            op.refuse(&why);
            return;
        }
        if state.ended {
            return;
        }
        match &mut state.applied {
            Some(applied) if state.queue.lets_by(&op) && applied.can_judge(&op) => {
                // Half of a write must not be committed.
                let _whole = StopsAtPanic::new(&self.fate);
                applied.apply(op);
            }
            _ => state.queue.push(op),
        }
        if state.sleeps.is_some_and(|until| state.wanted() < until) {
            state.sleeps = None;
            // The writer needs the lock as soon as it wakes.
            drop(guard);
            self.bell.notify_one();
        }
    }

    /// Nobody will bring writes any more: the writer commits what is here, and ends.
    pub fn leave(&self) {
        lock(&self.state).left = true;
        self.bell.notify_one();
    }

    /// Waits until there is something to do.
    pub(super) fn next(&self) -> Task {
        let mut state = lock(&self.state);
        loop {
            if !state.queue.is_empty()
                && let Some(applied) = state.applied.take()
            {
                return Task::Queue(applied);
            }
            if state.left {
                return Task::End;
            }
            let wanted = state.wanted();
            let left = match wanted {
                Until::Moment(due) => due.saturating_duration_since(Instant::now()),
                Until::Rung => Duration::MAX,
            };
            if left.is_zero() {
                return Task::Commit;
            }
            state.sleeps = Some(wanted);
            state = match wanted {
                Until::Rung => self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
                Until::Moment(_) => {
                    let woken = self.bell.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleeps = None;
        }
    }

    /// The next write of the queue, and `applied` for it; when there is none, that goes back to those who bring
    /// writes.
    pub(super) fn pop(&self, applied: Box<Applied>) -> Option<(Op, Box<Applied>)> {
        let mut state = lock(&self.state);
        let Some(op) = state.queue.pop() else {
            state.applied = Some(applied);
            return None;
        };
        Some((op, applied))
    }

    /// Looks at what is applied, or changes it. Only for the writer, while it does not have it for itself.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Applied) -> T) -> Option<T> {
        lock(&self.state).applied.as_deref_mut().map(act)
    }

    /// Nothing is taken in any more; the replies of what waits are dropped.
    pub(super) fn end(&self) {
        let (applied, queue);
        {
            let mut state = lock(&self.state);
            state.ended = true;
            applied = state.applied.take();
            queue = std::mem::take(&mut state.queue);
        }
        drop((applied, queue));
    }
}

impl State {
    /// Until when the writer may sleep, by what is here.
    fn wanted(&self) -> Until {
        match &self.applied {
            _ if !self.queue.is_empty() => Until::Moment(Instant::now()),
            Some(applied) => applied.batch.due().map_or(Until::Rung, Until::Moment),
            None => Until::Rung,
        }
    }
}

/// Stops the store if what it stands beside panics.
pub(super) struct StopsAtPanic<'a> {
    fate: &'a Fate,
    panicked_before: bool,
}

impl<'a> StopsAtPanic<'a> {
    pub(super) fn new(fate: &'a Fate) -> Self {
        Self {
            fate,
            panicked_before: std::thread::panicking(),
        }
    }
}

impl Drop for StopsAtPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.panicked_before {
            self.fate.stop(StoreError::Failed(
                "a write ended in a fault of this program".to_owned(),
            ));
        }
    }
}
