//! The port `Store`.

use super::SqliteStore;
use super::queries;
use super::writer::{End, Op};
use smoother_core::call::Settlement;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, EndReport, Inserted, LaneMemory, LetterCount, ListFilter, ListPage,
    NewRequest, PayloadRef, Pending, Recovered, StateEvent, Store, StoreError,
};
use smoother_core::{Call, LaneId, Request, RequestId, Timestamp};

/// Rows a page may have.
const MOST_LISTED: usize = 1_000;

impl Store for SqliteStore {
    fn commits_in_order(&self) -> bool {
        true
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        let new = Box::new(new);
        self.begin(|reply| Op::Insert { new, reply })
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        let change = Box::new(change);
        self.begin(|reply| Op::Change { id, change, reply })
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        let end = Box::new(End {
            settlement,
            change,
            result,
        });
        self.begin(|reply| Op::End { id, end, reply })
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        let change = Box::new(change);
        self.begin(|reply| Op::Answer {
            id,
            change,
            result,
            reply,
        })
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        Box::pin(async move {
            self.settled(Some(id)).await?;
            let found = self.shared.readers.read(move |conn| queries::request(conn, id));
            Ok(found.await?.map(|(_, request)| request))
        })
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Box::pin(async move {
            self.settled(Some(id)).await?;
            self.shared
                .readers
                .read(move |conn| queries::calls(conn, id))
                .await
        })
    }

    fn events(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<StateEvent>, StoreError>> {
        Box::pin(async move {
            self.settled(Some(id)).await?;
            let read = move |conn: &_| queries::events(conn, id);
            self.shared.readers.read(read).await
        })
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        let limit = limit.clamp(1, MOST_LISTED);
        Box::pin(async move {
            self.settled(None).await?;
            let page = move |conn: &_| queries::list(conn, &filter, cursor.as_deref(), limit);
            self.shared.readers.read(page).await
        })
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<LetterCount, StoreError>> {
        Box::pin(async move {
            let counts = self.shared.readers.read(queries::dead_letters).await?;
            let lanes = counts.into_iter().collect();
            Ok(LetterCount { lanes, more: false })
        })
    }

    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        let (lane, since) = (lane.clone(), charged_since);
        self.begin(|reply| Op::Recover { lane, since, reply })
    }

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        let lane = lane.clone();
        self.begin(|reply| Op::KeepDay { lane, count, reply })
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        let (lane, memory) = (lane.clone(), Box::new(memory));
        self.begin(|reply| Op::KeepMemory { lane, memory, reply })
    }
}
