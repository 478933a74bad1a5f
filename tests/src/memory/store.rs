//! The port `Store`.

use super::fault::Touched;
use super::process::Process;
use smoother_core::call::Settlement;
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage, NewRequest,
    PayloadRef, Pending, Recovered, Store, StoreError,
};
use smoother_core::{Call, Change, LaneId, Request, RequestId, Timestamp};

/// One process's way to the durable tables.
#[derive(Debug, Clone)]
pub struct MemoryStore(pub(super) Process);

impl Store for MemoryStore {
    fn commits_in_order(&self) -> bool {
        self.0.world.0.options.ordered
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        let id = new.request.id;
        self.0.write(Touched::Insert, Some(id), move |tables, _| {
            Ok(tables.insert(new.clone()))
        })
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        let touched = Touched::Change(change.as_str());
        self.0
            .write(touched, Some(id), move |tables, _| tables.change(id, &change))
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        self.0.write(Touched::End, Some(id), move |tables, _| {
            Ok(tables.end(id, settlement.clone(), change.as_ref(), result.clone()))
        })
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.0.write(Touched::Answer, Some(id), move |tables, _| {
            tables.answer(id, &change, result.clone())
        })
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        Box::pin(
            self.0
                .read(Touched::Get, Some(id), move |tables| Ok(tables.get(id).cloned())),
        )
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Box::pin(
            self.0
                .read(Touched::Calls, Some(id), move |tables| Ok(tables.calls_of(id))),
        )
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Box::pin(self.0.read(Touched::List, None, move |tables| {
            tables.list(&filter, cursor.as_deref(), limit)
        }))
    }

    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        let lane = lane.clone();
        self.0.write(Touched::Recover, None, move |tables, now| {
            tables.recover(&lane, charged_since, now)
        })
    }

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        let lane = lane.clone();
        self.0.write(Touched::KeepDay, None, move |tables, _| {
            tables.keep_day(&lane, count);
            Ok(())
        })
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        let lane = lane.clone();
        self.0.write(Touched::KeepMemory, None, move |tables, _| {
            tables.keep_memory(&lane, memory);
            Ok(())
        })
    }
}
