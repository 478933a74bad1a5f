//! The real store, with faults on demand.

use bytes::Bytes;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage, NewRequest,
    PayloadKind, PayloadRef, Payloads, Pending, Recovered, Store, StoreError,
};
use smoother_core::{Call, LaneId, Request, RequestId, Settlement, Timestamp};
use smoother_embedded::SqliteStore;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};

/// A store that answers the next ends of calls, and the next payloads, with the errors it was given.
pub(super) struct Faults {
    store: Arc<SqliteStore>,
    ends: Mutex<VecDeque<StoreError>>,
    payloads: Mutex<VecDeque<StoreError>>,
}

impl Faults {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self {
            store,
            ends: Mutex::default(),
            payloads: Mutex::default(),
        }
    }

    pub(super) fn fail_ends(&self, errors: impl IntoIterator<Item = StoreError>) {
        self.ends.lock().unwrap().extend(errors);
    }

    pub(super) fn fail_payloads(&self, errors: impl IntoIterator<Item = StoreError>) {
        self.payloads.lock().unwrap().extend(errors);
    }

    /// Whether every error was met.
    pub(super) fn are_spent(&self) -> bool {
        self.ends.lock().unwrap().is_empty() && self.payloads.lock().unwrap().is_empty()
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
        self.store.change(id, change)
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        if let Some(error) = self.ends.lock().unwrap().pop_front() {
            return Box::pin(ready(Err(error)));
        }
        self.store.end(id, settlement, change, result)
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.store.answer(id, change, result)
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
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

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        self.store.keep_day(lane, count)
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        self.store.keep_memory(lane, memory)
    }
}

impl Payloads for Faults {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        if let Some(error) = self.payloads.lock().unwrap().pop_front() {
            return Box::pin(ready(Err(error)));
        }
        self.store.keep(id, kind, payload)
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.store.fetch(id, kind)
    }
}
