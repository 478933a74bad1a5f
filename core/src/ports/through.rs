//! A store in front of another.
//!
//! Whoever counts, watches or spoils what is asked of a store (as the fault-injecting adapters of the tests do) says
//! what is otherwise, and nothing else: all the rest goes on to the store behind, methods that the port will gain
//! included.

use super::store::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage, NewRequest, Recovered,
    StateEvent, Store, StoreError,
};
use super::{BoxFuture, PayloadRef, Pending};
use crate::call::{Call, Settlement};
use crate::ids::{LaneId, RequestId};
use crate::lifecycle::Change;
use crate::request::Request;
use crate::units::Timestamp;

/// [`Store`], method by method, as the store behind has it. Whatever implements this is a store.
pub trait Through: Send + Sync {
    /// The store behind.
    fn behind(&self) -> &dyn Store;

    /// [`Store::insert`].
    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        self.behind().insert(new)
    }

    /// [`Store::change`].
    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        self.behind().change(id, change)
    }

    /// [`Store::end`].
    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        self.behind().end(id, settlement, change, result)
    }

    /// [`Store::answer`].
    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.behind().answer(id, change, result)
    }

    /// [`Store::get`].
    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        self.behind().get(id)
    }

    /// [`Store::calls`].
    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        self.behind().calls(id)
    }

    /// [`Store::events`].
    fn events(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<StateEvent>, StoreError>> {
        self.behind().events(id)
    }

    /// [`Store::list`].
    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        self.behind().list(filter, cursor, limit)
    }

    /// [`Store::recover`].
    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        self.behind().recover(lane, charged_since)
    }

    /// [`Store::keep_day`].
    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        self.behind().keep_day(lane, count)
    }

    /// [`Store::keep_memory`].
    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        self.behind().keep_memory(lane, memory)
    }
}

impl<T: Through> Store for T {
    fn commits_in_order(&self) -> bool {
        self.behind().commits_in_order()
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        Through::insert(self, new)
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        Through::change(self, id, change)
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        Through::end(self, id, settlement, change, result)
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        Through::answer(self, id, change, result)
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        Through::get(self, id)
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Through::calls(self, id)
    }

    fn events(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<StateEvent>, StoreError>> {
        Through::events(self, id)
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Through::list(self, filter, cursor, limit)
    }

    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        Through::recover(self, lane, charged_since)
    }

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        Through::keep_day(self, lane, count)
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        Through::keep_memory(self, lane, memory)
    }
}
