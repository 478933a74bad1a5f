//! The real store, with faults on demand, and a clock that counts what a lane does.

use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, EndReport, LaneMemory, PayloadRef, Pending, Store, StoreError, Through,
};
use smoother_core::{LaneId, Millis, Request, RequestId, Settlement, Timestamp};
use smoother_embedded::{SqliteStore, SystemClock};
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a planned fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Nothing is done.
    Before,
    /// It is done, and told as failed.
    After,
}

/// A store some of whose next writes fail; it counts how often each kind of change was asked for.
pub(super) struct Faults {
    store: Arc<SqliteStore>,
    planned: Mutex<Option<(&'static str, How, u32)>>,
    asked: Mutex<BTreeMap<&'static str, u32>>,
    reads: AtomicU64,
}

/// The word of a lane's memory being kept, beside those of changes.
pub(super) const KEEP_MEMORY: &str = "keep_memory";

fn failed() -> StoreError {
    StoreError::Failed("as planned".to_owned())
}

impl Faults {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self {
            store,
            planned: Mutex::new(None),
            asked: Mutex::default(),
            reads: AtomicU64::new(0),
        }
    }

    /// The next changes with this word fail.
    pub(super) fn fail(&self, word: &'static str, times: u32) {
        *self.planned.lock().unwrap() = Some((word, How::Before, times));
    }

    /// The next changes with this word are made, and told as failed.
    pub(super) fn fail_after(&self, word: &'static str, times: u32) {
        *self.planned.lock().unwrap() = Some((word, How::After, times));
    }

    /// So many of the lane's next reads fail.
    pub(super) fn fail_reads(&self, times: u64) {
        self.reads.store(times, Ordering::SeqCst);
    }

    /// How many changes with this word were asked for.
    pub(super) fn asked(&self, word: &str) -> u32 {
        self.asked.lock().unwrap().get(word).copied().unwrap_or(0)
    }

    fn strikes(&self, asked: &'static str) -> Option<How> {
        *self.asked.lock().unwrap().entry(asked).or_default() += 1;
        let mut planned = self.planned.lock().unwrap();
        let (word, how, left) = planned.as_mut()?;
        if *left == 0 || *word != asked {
            return None;
        }
        *left -= 1;
        Some(*how)
    }

    /// A write, as planned for this word.
    fn write<T, E>(
        &self,
        word: &'static str,
        begin: impl FnOnce(&dyn Store) -> Pending<Result<T, E>>,
    ) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self.strikes(word) {
            None => begin(self.behind()),
            Some(How::Before) => Box::pin(ready(Err(failed().into()))),
            Some(How::After) => {
                let begun = begin(self.behind());
                Box::pin(async move {
                    begun.await?;
                    Err(failed().into())
                })
            }
        }
    }
}

impl Through for Faults {
    fn behind(&self) -> &dyn Store {
        self.store.as_ref()
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        self.write(change.as_str(), |store| store.change(id, change))
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        let word = change.as_ref().map_or("end", Change::as_str);
        self.write(word, |store| store.end(id, settlement, change, result))
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        let fails = |left: u64| left.checked_sub(1);
        if self
            .reads
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
            .is_ok()
        {
            return Box::pin(ready(Err(failed())));
        }
        self.behind().get(id)
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        self.write(KEEP_MEMORY, |store| store.keep_memory(lane, memory))
    }
}

/// The time, which a test may move on, and how many steps a lane has taken by it.
pub(super) struct CountingClock {
    real: SystemClock,
    looks: AtomicU64,
}

impl Default for CountingClock {
    fn default() -> Self {
        Self {
            real: SystemClock::new(Timestamp::EPOCH),
            looks: AtomicU64::new(0),
        }
    }
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.real.now()
    }

    /// A lane asks for this before and after each step, and nobody else does.
    fn elapsed(&self) -> Duration {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.real.elapsed()
    }
}

impl CountingClock {
    pub(super) fn move_on(&self, by: Millis) {
        self.real.raise(self.now() + by);
    }

    pub(super) fn steps(&self) -> u64 {
        self.looks.load(Ordering::SeqCst) / 2
    }
}
