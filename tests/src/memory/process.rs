//! One run of a program in the world: its adapters, and its end.

use super::fault::{Fate, Point, Touched};
use super::tables::Tables;
use super::{MemoryDispatch, MemoryHold, MemoryLanes, MemoryLive, MemoryStore, World};
use smoother_core::ports::{Pending, Released, StoreError};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, RequestId, Timestamp};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The number of a process, in order of boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessNo(pub(super) usize);

impl ProcessNo {
    /// The plain number, from 0.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Up,
    Closed,
    Dead,
}

/// One run of a program. Once it is dead, nothing that it began or begins is ever answered.
#[derive(Debug, Clone)]
pub struct Process {
    pub(super) world: World,
    number: ProcessNo,
}

impl Process {
    pub(super) const fn new(world: World, number: ProcessNo) -> Self {
        Self { world, number }
    }

    /// Which process this is.
    pub const fn number(&self) -> ProcessNo {
        self.number
    }

    /// The world that it lives in.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// Its way to the durable tables: `Store`, `Payloads` and `Outbox`.
    pub fn store(&self) -> Arc<MemoryStore> {
        Arc::new(MemoryStore(self.clone()))
    }

    /// Channels into these lanes and, for each, the end that the lane's task reads.
    pub fn lanes(
        &self,
        lanes: impl IntoIterator<Item = LaneId>,
    ) -> (MemoryLanes, HashMap<LaneId, UnboundedReceiver<Event>>) {
        MemoryLanes::new(self.clone(), lanes)
    }

    /// The channel to the workers and the end that they read.
    pub fn dispatch(&self) -> (MemoryDispatch, UnboundedReceiver<Released>) {
        MemoryDispatch::new(self.clone())
    }

    /// Its way to what the holders of lanes keep.
    pub fn hold(&self) -> Arc<MemoryHold> {
        Arc::new(MemoryHold(self.clone()))
    }

    /// What requests are doing, as far as this process knows.
    pub fn live(&self) -> MemoryLive {
        MemoryLive::default()
    }

    /// Ends the process at this moment. Of the writes that were not durable yet, the world's chance lets some
    /// become so, as a crash may: a beginning of them where commits come in order, any of them elsewhere.
    pub fn crash(&self) {
        let at = self.world.now();
        let ordered = self.world.0.options.ordered;
        let mut state = self.world.up_to_date();
        state.conditions[self.number.0] = Condition::Dead;
        let state = &mut *state;
        for apply in state.commits.survivors(self.number, ordered, &mut state.chance) {
            apply(&mut state.tables, at);
        }
        self.world.0.bell.notify_waiters();
    }

    /// Commits what was begun and ends the process in good order; whatever it begins later gets
    /// [`StoreError::Closed`].
    pub fn close(&self) {
        let at = self.world.now();
        let mut state = self.world.up_to_date();
        state.conditions[self.number.0] = Condition::Closed;
        for apply in state.commits.of(self.number) {
            apply(&mut state.tables, at);
        }
        self.world.0.bell.notify_waiters();
    }

    pub(super) fn condition(&self) -> Condition {
        self.world.lock().conditions[self.number.0]
    }

    pub(super) fn point(&self, touched: Touched, request: Option<RequestId>) -> Point {
        Point {
            process: self.number,
            touched,
            request,
        }
    }

    /// Begins a write now; the answer comes with its commit.
    pub(super) fn write<T, E>(
        &self,
        touched: Touched,
        request: Option<RequestId>,
        apply: impl Fn(&mut Tables, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self.condition() {
            Condition::Up => {}
            Condition::Closed => return Box::pin(async { Err(StoreError::Closed.into()) }),
            Condition::Dead => return Box::pin(pending()),
        }
        let (answer, outcome) = oneshot::channel();
        let options = self.world.0.options;
        let mut state = self.world.lock();
        let fate = state.fate(self.point(touched, request));
        let commit = Box::new(move |tables: &mut Tables, at| {
            // Whoever asked may have gone: the write stands all the same.
            let _ = answer.send(done(fate, touched, || apply(tables, at)));
        });
        let due = Instant::now() + options.commit_after + fate.delay();
        let due = state.commits.begin(self.number, due, options.ordered, commit);
        drop(state);
        self.commit_at(due);
        let process = self.clone();
        Box::pin(async move {
            let outcome = outcome.await;
            match outcome {
                Ok(outcome) if process.condition() != Condition::Dead => outcome,
                _ => pending().await,
            }
        })
    }

    /// Sees to it that the commits due at `due` are made then.
    fn commit_at(&self, due: Instant) {
        if due <= Instant::now() {
            drop(self.world.up_to_date());
            return;
        }
        let world = self.world.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            drop(world.up_to_date());
        });
    }

    /// Looks at what is durable.
    pub(super) async fn read<T>(
        &self,
        touched: Touched,
        request: Option<RequestId>,
        look: impl Fn(&Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.condition() {
            Condition::Up => {}
            Condition::Closed => return Err(StoreError::Closed),
            Condition::Dead => return pending().await,
        }
        let fate = self.world.fate(self.point(touched, request));
        if let Fate::Delay(by) = fate {
            tokio::time::sleep(by).await;
        }
        let found = match fate {
            Fate::FailBefore | Fate::FailAfter | Fate::Lose => Err(injected(touched)),
            Fate::Proceed | Fate::Delay(_) | Fate::Duplicate => look(&self.world.up_to_date().tables),
        };
        match self.condition() {
            Condition::Dead => pending().await,
            Condition::Up | Condition::Closed => found,
        }
    }
}

/// A write's outcome under its fate.
fn done<T, E: From<StoreError>>(
    fate: Fate,
    touched: Touched,
    mut apply: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    match fate {
        Fate::Proceed | Fate::Delay(_) => apply(),
        Fate::FailBefore | Fate::Lose => Err(injected(touched).into()),
        Fate::FailAfter => {
            drop(apply());
            Err(injected(touched).into())
        }
        Fate::Duplicate => {
            drop(apply());
            apply()
        }
    }
}

fn injected(touched: Touched) -> StoreError {
    StoreError::Failed(format!("a fault was planned for {touched:?}"))
}
