//! Requests, their calls and their payloads in DynamoDB and S3.
//!
//! Every change reads the row, asks [`smoother_core::lifecycle::apply`], and writes the row whole on condition that
//! its `rev` is still the one that was read. Where it is not, the failed condition brings the row as it is, and the
//! change is asked for again; that goes on as long as somebody else gets on, within bounds.
//!
//! An answer that does not come leaves open whether the write was made. Each write leaves its mark in the row's past,
//! so that the next attempt, refused because of the first one, or a look at the row tells that it was.
//!
//! | what | calls to DynamoDB | and to S3 |
//! |---|---|---|
//! | insert | 1 transaction of row and body (a put where the body is in S3) | 1 put, of a body over 4 KB |
//! | change | 1 read, 1 put | |
//! | claim | 1 read, 1 transaction of row and call | |
//! | end | 1 read, 1 transaction of row, call and the body's time to live | |
//! | keep a result | | 1 put |
//! | fetch a payload | 1 read; 1 more for a body beside its row | 1 get, of any other |
//! | get | 1 read | |
//!
//! However many requests wait. To these come three puts of notes a minute ([`notes`]) for each lane, band and tenant.

mod change;
mod end;
mod insert;
mod list;
mod notes;
mod payloads;

use crate::fault::Fault;
use crate::objects::Objects;
use crate::retry::Patience;
use crate::table::Table;
use crate::table::keys;
use crate::table::row::{Row, Terms};
use notes::Notes;
use smoother_core::call::Settlement;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, DayCount, EndReport, Entropy, Inserted, LaneMemory, LetterCount,
    ListFilter, ListPage, NewRequest, PayloadRef, Pending, Recovered, StateEvent, Store, StoreError,
};
use smoother_core::{Call, LaneId, Request, RequestId, Timestamp};
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// What a store is made of.
#[derive(Clone)]
pub struct Parts {
    /// For the table.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Its name.
    pub table: String,
    /// For the bucket.
    pub s3: aws_sdk_s3::Client,
    /// Its name.
    pub bucket: String,
    /// How often and how long a call is tried.
    pub patience: Patience,
    /// Lifetimes and prices.
    pub terms: Terms,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The chance.
    pub entropy: Arc<dyn Entropy>,
}

/// The store on AWS.
#[derive(Clone)]
pub struct DynamoStore {
    shared: Arc<Shared>,
    writes: TaskTracker,
}

impl fmt::Debug for DynamoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoStore")
            .field("table", &self.shared.table)
            .field("objects", &self.shared.objects)
            .finish_non_exhaustive()
    }
}

struct Shared {
    table: Table,
    objects: Objects,
    terms: Terms,
    clock: Arc<dyn Clock>,
    notes: Notes,
}

impl Shared {
    async fn row(&self, id: RequestId) -> Result<Option<Row>, Fault> {
        let item = self.table.get(&keys::row(id)).await?;
        item.map(|item| Row::read(&item)).transpose()
    }
}

impl DynamoStore {
    /// A store of this table and bucket; nothing is asked of them yet.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            patience, entropy, ..
        } = parts;
        let writes = TaskTracker::new();
        // Closed, it can be waited for whenever it is empty; it still takes tasks.
        writes.close();
        Self {
            shared: Arc::new(Shared {
                table: Table::new(parts.dynamodb, &parts.table, patience, Arc::clone(&entropy)),
                objects: Objects::new(parts.s3, &parts.bucket, patience, entropy),
                terms: parts.terms,
                clock: parts.clock,
                notes: Notes::default(),
            }),
            writes,
        }
    }

    /// Whether table and bucket are there, may be used, and look as they must.
    ///
    /// # Errors
    /// What is missing or may not be done, by name.
    pub async fn check(&self) -> Result<(), StoreError> {
        let (table, bucket) = tokio::join!(self.shared.table.check(), self.shared.objects.check());
        table.and(bucket)?;
        Ok(())
    }

    /// Resolves when every write that was begun is made, or has failed. A function that is frozen after its answer
    /// waits for this before it answers.
    pub async fn at_rest(&self) {
        self.writes.wait().await;
    }

    /// Begins a write: it goes on whether or not somebody waits for it.
    fn begin<T, E, F>(&self, write: impl FnOnce(Arc<Shared>) -> F) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let task = self.writes.spawn(write(Arc::clone(&self.shared)));
        Box::pin(async move {
            task.await.unwrap_or_else(|error| {
                Err(StoreError::Failed(format!("a write was not finished: {error}")).into())
            })
        })
    }
}

impl Store for DynamoStore {
    fn commits_in_order(&self) -> bool {
        false
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        self.begin(|shared| async move { Ok(shared.insert(new).await?) })
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        self.begin(move |shared| async move { shared.change(id, &change, None).await })
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        self.begin(move |shared| async move { shared.end(id, settlement, change, result).await })
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.begin(move |shared| async move { shared.change(id, &change, Some(result)).await })
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        Box::pin(async move { Ok(self.shared.row(id).await?.map(|row| row.request)) })
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Box::pin(async move { self.shared.calls(id).await })
    }

    fn events(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<StateEvent>, StoreError>> {
        Box::pin(async move {
            let row = self.shared.row(id).await?;
            Ok(row.map(|row| row.events()).unwrap_or_default())
        })
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        Box::pin(async move { self.shared.list(&filter, cursor.as_deref(), limit).await })
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<LetterCount, StoreError>> {
        Box::pin(async move { Ok(self.shared.dead_letters().await?) })
    }

    fn recover(&self, _: &LaneId, _: Timestamp) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        Box::pin(ready(Err(alone())))
    }

    fn keep_day(&self, _: &LaneId, _: DayCount) -> Pending<Result<(), StoreError>> {
        Box::pin(ready(Err(alone())))
    }

    fn keep_memory(&self, _: &LaneId, _: LaneMemory) -> Pending<Result<(), StoreError>> {
        Box::pin(ready(Err(alone())))
    }
}

fn alone() -> StoreError {
    StoreError::Failed(
        "nobody is alone with this table: a lane's holder takes it up, by its ledger".to_owned(),
    )
}

#[cfg(test)]
pub(crate) mod tests;
