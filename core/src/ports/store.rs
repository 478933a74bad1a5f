//! Requests, calls and the outbox, durably.

use super::{BoxFuture, PayloadRef, Pending};
use crate::breaker::BreakerMemory;
use crate::call::{Call, Settlement};
use crate::ids::{LaneId, RequestId, Rev, TenantId};
use crate::ledger::PacingMemory;
use crate::lifecycle::{Change, Refused, State};
use crate::model::ErrorFilter;
use crate::request::Request;
use crate::units::{Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The store could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room left for another write.
    #[error("the store is full ({0}); free space, then send again")]
    Full(String),
    /// What is stored does not read back as it was written.
    #[error("the store is damaged ({0}); it is left untouched: restore it from a backup")]
    Damaged(String),
    /// The store is stopping.
    #[error("the store is closed: the smoother is stopping; send again to the next one")]
    Closed,
    /// Anything else; trying again may work.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// A change did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such request.
    #[error("no job has the id {0}")]
    NotFound(RequestId),
    /// The lifecycle does not allow it; the row is as it was.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The store failed; whether the row changed is unknown.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A request to be stored, QUEUED, with its body.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The row.
    pub request: Request,
    /// What the caller sent.
    pub body: PayloadRef,
}

/// What became of an insert.
#[derive(Debug, Clone)]
pub enum Inserted {
    /// It is stored.
    Fresh,
    /// The id was there, with the same body: here is its row. Nothing was written.
    Same(Box<Request>),
    /// The id was there with another body: the idempotency key was used before. Nothing was written.
    Conflict,
}

/// What became of the end of a call.
#[derive(Debug, Clone)]
pub struct EndReport {
    /// The row after the change, or why the change was refused. The settlement stands either way.
    pub request: Result<Request, ChangeError>,
}

/// A state that a request has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEvent {
    /// The row's version with it.
    pub rev: Rev,
    /// The state.
    pub state: State,
    /// When it was stored.
    pub at: Timestamp,
}

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// Only these states; empty means any.
    pub states: Vec<State>,
    /// Only this lane's.
    pub lane: Option<LaneId>,
    /// Only dead letters.
    pub dead: bool,
    /// Only those that failed so.
    pub error: Option<ErrorFilter>,
    /// Only those that ended then or later.
    pub ended_from: Option<Timestamp>,
    /// Only those that ended earlier.
    pub ended_before: Option<Timestamp>,
}

/// One page of a listing, newest arrival first.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The rows.
    pub requests: Vec<Request>,
    /// Give this back for the next page; `None` on the last.
    pub next: Option<String>,
}

/// How many dead letters stand, of all tenants together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterCount {
    /// In each lane; one without any is left out.
    pub lanes: BTreeMap<LaneId, u64>,
    /// There are older ones, which were not counted: each lane has at least as many.
    pub more: bool,
}

impl LetterCount {
    /// A store that has to read them in order to count them reads so many, of all lanes together, the newest first.
    pub const AT_MOST: usize = 2_000;
}

/// What a lane's day has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// Days since the epoch, UTC.
    pub day: u64,
    /// Tokens charged in it.
    pub tokens: Tokens,
}

/// What a lane has learned that outlives its process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneMemory {
    /// Its circuit breaker.
    #[serde(default)]
    pub breaker: BreakerMemory,
    /// Its pacing.
    #[serde(default, skip_serializing_if = "PacingMemory::is_empty")]
    pub pacing: PacingMemory,
}

/// What a lane needs in order to go on after a restart.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Its waiting requests, in order of arrival.
    pub waiting: Vec<Request>,
    /// Calls that are open or were charged lately enough to count.
    pub calls: Vec<Call>,
    /// The day's counter as last stored.
    pub day: Option<DayCount>,
    /// What it had learned, as last stored.
    pub memory: LaneMemory,
}

/// Requests and their calls.
///
/// Every change goes through [`crate::lifecycle::apply`] under a condition on the row's `rev`. Reaching a
/// terminal state writes an outbox entry in the same commit.
pub trait Store: Send + Sync {
    /// Whether the writes of a request become durable in the order in which they were begun, so that one may follow
    /// another without waiting for it.
    fn commits_in_order(&self) -> bool;

    /// Stores a new request.
    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>>;

    /// Applies a change. [`Change::Claim`] also stores the call it starts, with the row's lane and reserve.
    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>>;

    /// Settles a call and applies what follows from it, in one commit. The settlement is stored whether or not
    /// the change is allowed, and a call that is settled already stays as it was. `result` goes with
    /// [`Change::Complete`].
    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>>;

    /// Ends a request that waits, with a result but without a call, in one commit: [`Change::Degrade`].
    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>>;

    /// Reads a row.
    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>>;

    /// Reads a request's calls, by number.
    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>>;

    /// The states a request has passed, oldest first, where the store keeps them; every change is one, those that
    /// leave the state as it was included.
    fn events(&self, _id: RequestId) -> BoxFuture<'_, Result<Vec<StateEvent>, StoreError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Lists rows, newest arrival first; `limit` is at most 1,000. A cursor that is none is an error.
    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>>;

    /// How many dead letters stand in each lane.
    ///
    /// Done here by reading no more than [`LetterCount::AT_MOST`] of them, which a store that counts by an index need
    /// not.
    fn dead_letters(&self) -> BoxFuture<'_, Result<LetterCount, StoreError>> {
        Box::pin(async move {
            let dead = ListFilter {
                dead: true,
                ..ListFilter::default()
            };
            let (mut count, mut cursor, mut left) = (LetterCount::default(), None, LetterCount::AT_MOST);
            loop {
                let page = self.list(dead.clone(), cursor, left.min(1_000)).await?;
                left = left.saturating_sub(page.requests.len());
                for row in page.requests {
                    *count.lanes.entry(row.lane).or_insert(0) += 1;
                }
                cursor = page.next;
                if cursor.is_none() || left == 0 {
                    count.more = cursor.is_some();
                    return Ok(count);
                }
            }
        })
    }

    /// What a lane needs after a restart: every row is as [`crate::lifecycle::after_restart`] has it, open calls
    /// are settled as indeterminate, before this answers. `charged_since` bounds the calls.
    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>>;

    /// Stores a lane's day counter; a lower count of the same day is ignored.
    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>>;

    /// Stores what a lane has learned; the last one counts.
    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>>;
}

/// A terminal state that has to be told.
#[derive(Debug, Clone)]
pub struct OutboxEntry {
    /// Place in the outbox; entries are read in this order.
    pub seq: u64,
    /// The row, terminal.
    pub request: Request,
}

/// Terminal states, written in the same commit as the state itself.
pub trait Outbox: Send + Sync {
    /// Up to `limit` entries after `after`, waiting until there is at least one.
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>>;

    /// Everything up to `seq` has been told.
    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>>;
}
