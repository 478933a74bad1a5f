//! The real store, with faults on demand, and a clock that counts what a lane does.

use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage,
    NewRequest, PayloadRef, Pending, Recovered, Store, StoreError,
};
use smoother_core::{Call, LaneId, Millis, Request, RequestId, Settlement, Timestamp};
use smoother_embedded::{SqliteStore, SystemClock};
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A store whose changes of one kind fail a number of times; it counts how often each kind was asked for.
pub(super) struct Faults {
    store: Arc<SqliteStore>,
    planned: Mutex<Option<(&'static str, u32)>>,
    asked: Mutex<BTreeMap<&'static str, u32>>,
    reads: AtomicU64,
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
        *self.planned.lock().unwrap() = Some((word, times));
    }

    /// So many of the lane's next reads fail.
    pub(super) fn fail_reads(&self, times: u64) {
        self.reads.store(times, Ordering::SeqCst);
    }

    /// How many changes with this word were asked for.
    pub(super) fn asked(&self, word: &str) -> u32 {
        self.asked.lock().unwrap().get(word).copied().unwrap_or(0)
    }

    fn strikes(&self, change: &Change) -> bool {
        *self.asked.lock().unwrap().entry(change.as_str()).or_default() += 1;
        let mut planned = self.planned.lock().unwrap();
        let Some((word, left)) = planned.as_mut() else {
            return false;
        };
        if *left == 0 || *word != change.as_str() {
            return false;
        }
        *left -= 1;
        true
    }
}

impl Store for Faults {
    fn commits_in_order(&self) -> bool {
        self.store.commits_in_order()
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        self.store.insert(new)
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        if self.strikes(&change) {
            let failed = StoreError::Failed("as planned".to_owned());
            return Box::pin(ready(Err(failed.into())));
        }
        self.store.change(id, change)
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        self.store.end(id, settlement, change, result)
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        let fails = |left: u64| left.checked_sub(1);
        if self
            .reads
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
            .is_ok()
        {
            return Box::pin(ready(Err(StoreError::Failed("as planned".to_owned()))));
        }
        self.store.get(id)
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        self.store.calls(id)
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        self.store.list(filter, cursor, limit)
    }

    fn recover(&self, lane: &LaneId, since: Timestamp) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        self.store.recover(lane, since)
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.store.answer(id, change, result)
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        self.store.keep_memory(lane, memory)
    }

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        self.store.keep_day(lane, count)
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
