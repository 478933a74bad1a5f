//! Holding lanes in the table.
//!
//! ```text
//! L#{lane}   LEASE     owner, epoch, expires, awake, seq      replaced under a condition on what was read
//!            LEDGER    doc, epoch, seq                        fenced by load, then written under its epoch only
//!            TENANTS   doc, epoch, seq                        never over a later holder's
//!            VIEW      doc, epoch, seq                        the same
//!            B#…       at                                     put by whoever stores a request that waits
//! L          {lane}                                           put by whoever holds lanes, when it starts
//! DEPLOYED   MARK      mark                                   put by whoever is called to hold lanes
//! ```
//!
//! A write whose answer was lost may arrive late, when later ones have been made. A holder's writes are numbered, and
//! their `seq` keeps an older state from taking a newer one's place.

mod deployed;
mod lanes;
mod lease;
mod waiting;

pub use deployed::Deployed;

use crate::fault::Fault;
use crate::retry::Patience;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading, Writing, json};
use crate::table::keys::{self, Key, LEASE, LEDGER, TENANTS, VIEW};
use crate::table::row::{Lifetimes, Terms};
use crate::table::schema::WAITING;
use crate::table::{Table, Written};
use serde::Serialize;
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{
    Backlogged, BoxFuture, Counted, Entropy, Heads, Held, Hold, HoldError, Pending, StoreError,
};
use smoother_core::scheduler::{LaneReport, LaneSnapshot, TenantsSnapshot};
use smoother_core::{LaneId, Millis, Priority, TenantId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lanes in the table.
#[derive(Debug, Clone)]
pub struct DynamoHold {
    table: Table,
    /// Numbers this process's writes.
    written: Arc<AtomicU64>,
    /// Prices what has to be read from its row.
    terms: Arc<Terms>,
}

impl DynamoHold {
    /// In this table.
    pub fn new(client: aws_sdk_dynamodb::Client, table: &str, chance: Arc<dyn Entropy>) -> Self {
        Self::patient(client, table, Patience::default(), chance)
    }

    /// The same, as patient as this.
    pub fn patient(
        client: aws_sdk_dynamodb::Client,
        table: &str,
        patience: Patience,
        chance: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            table: Table::new(client, table, patience, chance),
            written: Arc::default(),
            terms: Arc::new(Terms {
                lifetimes: Lifetimes::new(Millis::ZERO),
                burndowns: [].into(),
            }),
        }
    }

    /// The same, where requests cost as these terms say.
    #[must_use]
    pub fn priced(self, terms: Terms) -> Self {
        let terms = Arc::new(terms);
        Self { terms, ..self }
    }

    /// How a lane stands, as its holder last told; `None` where none ever did.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails, or holds a report that does not read.
    pub async fn report(&self, lane: &LaneId) -> Result<Option<LaneReport>, StoreError> {
        let found = self.table.get(&of(lane, VIEW)).await?;
        Ok(found.map(|item| doc(&item)).transpose()?.flatten())
    }

    /// Begins a write: it goes on whether or not somebody waits for it.
    fn begin<T, E, F>(&self, write: impl FnOnce(Self) -> F) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let task = tokio::spawn(write(self.clone()));
        Box::pin(async move {
            task.await.unwrap_or_else(|error| {
                Err(StoreError::Failed(format!("a write was not finished: {error}")).into())
            })
        })
    }

    fn reading(&self, lane: &LaneId) -> waiting::Waiters {
        waiting::Waiters {
            table: self.table.clone(),
            terms: Arc::clone(&self.terms),
            lane: lane.clone(),
        }
    }

    /// The number of the next write; taken when it is begun, so that the order is that of beginning.
    fn seq(&self) -> u64 {
        self.written.fetch_add(1, Ordering::Relaxed) + 1
    }

    async fn fence(&self, lane: &LaneId, epoch: Epoch) -> Result<Option<LaneSnapshot>, HoldError> {
        let key = of(lane, LEDGER);
        let change = Expression::new("SET #epoch = :epoch, #v = :v, #seq = :seq")
            .number(":epoch", epoch.get())
            .number(":v", crate::table::item::VERSION)
            .number(":seq", 0);
        let fenced = self.table.update(&key, &change, &not_later(epoch)).await;
        match fenced.map_err(StoreError::from)? {
            Written::Done(Some(item)) => Ok(doc(&item).map_err(StoreError::from)?),
            Written::Done(None) => Ok(None),
            Written::Unmet(_) => Err(stale(lane, epoch)),
        }
    }

    /// Writes an item of a lane that its holder keeps for information, unless a later holder did.
    async fn inform(
        &self,
        (lane, epoch, seq): (&LaneId, Epoch, u64),
        sk: &str,
        said: &(impl Serialize + Sync),
    ) -> Result<(), HoldError> {
        let item = Writing::new(&of(lane, sk))
            .json("doc", said)
            .map_err(StoreError::from)?;
        let item = item.number("epoch", epoch.get()).number("seq", seq).done();
        let ours = "attribute_not_exists(#epoch) OR #epoch < :epoch OR (#epoch = :epoch AND #seq <= :seq)";
        self.keep(lane, epoch, &item, &numbered(ours, epoch, seq)).await
    }

    /// Writes an item under an epoch; one that a later write of the same holder was faster than is written, too.
    async fn keep(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        item: &Item,
        condition: &Expression,
    ) -> Result<(), HoldError> {
        let written = self.table.put(item, Some(condition)).await;
        match written.map_err(StoreError::from)? {
            Written::Done(_) => Ok(()),
            Written::Unmet(Some(there)) if epoch_of(&there).map_err(StoreError::from)? == epoch => Ok(()),
            Written::Unmet(_) => Err(stale(lane, epoch)),
        }
    }

    async fn keep_ledger(&self, lane: &LaneId, epoch: Epoch, seq: u64, doc: String) -> Result<(), HoldError> {
        let item = Writing::new(&of(lane, LEDGER)).text("doc", doc);
        let item = item.number("epoch", epoch.get()).number("seq", seq).done();
        let ours = numbered("#epoch = :epoch AND #seq <= :seq", epoch, seq);
        self.keep(lane, epoch, &item, &ours).await
    }
}

impl Hold for DynamoHold {
    fn lease(&self, lane: &LaneId) -> BoxFuture<'_, Result<Option<Lease>, StoreError>> {
        let key = of(lane, LEASE);
        Box::pin(async move {
            let found = self.table.get(&key).await?;
            Ok(found.map(|item| lease::read(&item)).transpose()?)
        })
    }

    fn take(&self, lane: &LaneId, lease: Lease, over: Option<Lease>) -> Pending<Result<bool, StoreError>> {
        let (key, seq) = (of(lane, LEASE), self.seq());
        self.begin(move |hold| async move {
            let condition = lease::is_still(over.as_ref());
            match hold
                .table
                .put(&lease::item(&key, &lease, seq), Some(&condition))
                .await?
            {
                Written::Done(_) => Ok(true),
                // The answer to an earlier attempt was lost: no two takings have the same owner.
                Written::Unmet(there) => Ok(there.map(|item| lease::read(&item)).transpose()? == Some(lease)),
            }
        })
    }

    fn renew(&self, lane: &LaneId, lease: Lease) -> Pending<Result<(), HoldError>> {
        let (lane, seq) = (lane.clone(), self.seq());
        self.begin(move |hold| async move {
            let item = lease::item(&of(&lane, LEASE), &lease, seq);
            let written = hold
                .table
                .put(&item, Some(&lease::is_renewed_by(&lease, seq)))
                .await;
            match written.map_err(StoreError::from)? {
                Written::Done(_) => Ok(()),
                Written::Unmet(there) => {
                    let there = there
                        .map(|item| lease::read(&item))
                        .transpose()
                        .map_err(StoreError::from)?;
                    // Overtaken by a later renewal of its own.
                    let ours =
                        there.is_some_and(|there| (there.epoch, &there.owner) == (lease.epoch, &lease.owner));
                    if ours {
                        Ok(())
                    } else {
                        Err(stale(&lane, lease.epoch))
                    }
                }
            }
        })
    }

    fn load(&self, lane: &LaneId, epoch: Epoch) -> BoxFuture<'_, Result<Held, HoldError>> {
        let lane = lane.clone();
        Box::pin(async move {
            let ledger = self.fence(&lane, epoch).await?;
            let found = self
                .table
                .get(&of(&lane, TENANTS))
                .await
                .map_err(StoreError::from)?;
            // Fair shares come back by themselves; a lane need not stand still for what says how they were.
            let tenants = found.and_then(|item| match doc(&item) {
                Ok(tenants) => tenants,
                Err(fault) => {
                    tracing::warn!(%lane, %fault, "whom the lane has served is not known");
                    None
                }
            });
            Ok(Held { ledger, tenants })
        })
    }

    fn write_ledger(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: LaneSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        let (lane, seq) = (lane.clone(), self.seq());
        self.begin(move |hold| async move {
            let doc = json("ledger", &ledger).map_err(StoreError::from)?;
            hold.keep_ledger(&lane, epoch, seq, doc).await
        })
    }

    fn write_tenants(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: TenantsSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        let (lane, seq) = (lane.clone(), self.seq());
        self.begin(move |hold| async move { hold.inform((&lane, epoch, seq), TENANTS, &tenants).await })
    }

    fn write_report(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Pending<Result<(), HoldError>> {
        let (lane, seq) = (lane.clone(), self.seq());
        self.begin(move |hold| async move { hold.inform((&lane, epoch, seq), VIEW, &report).await })
    }

    fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        let (reading, partitions) = (self.reading(lane), waits_in(lane, priority, tenant));
        Box::pin(async move { Ok(reading.heads(partitions, after, limit).await?) })
    }

    fn count(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
    ) -> BoxFuture<'_, Result<Counted, StoreError>> {
        let partitions = waits_in(lane, priority, tenant);
        Box::pin(async move { Ok(waiting::count(&self.table, partitions).await?) })
    }

    fn due(
        &self,
        lane: &LaneId,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        let (reading, partitions) = (self.reading(lane), snoozed_in(lane));
        Box::pin(async move { Ok(reading.due(partitions, until, after, limit).await?) })
    }

    fn backlog(&self, lane: &LaneId) -> BoxFuture<'_, Result<Vec<Backlogged>, StoreError>> {
        let pk = keys::lane(lane);
        Box::pin(async move { Ok(waiting::backlog(&self.table, pk).await?) })
    }

    fn forget_backlog(&self, lane: &LaneId, entry: Backlogged) -> Pending<Result<(), StoreError>> {
        let key = keys::backlog(lane, entry.priority, &entry.tenant);
        let partitions = waits_in(lane, entry.priority, &entry.tenant);
        self.begin(move |hold| async move {
            // What waits there and does not read here is found by a version that reads it.
            if waiting::unreadable(&hold.table, &WAITING, partitions).await? {
                return Ok(());
            }
            let unchanged = Expression::new("#at = :at").number(":at", entry.at.as_millis());
            Ok(hold.table.delete(&key, Some(&unchanged)).await?)
        })
    }
}

/// The partitions in which a tenant's requests of a band wait.
fn waits_in(lane: &LaneId, priority: Priority, tenant: &TenantId) -> Vec<String> {
    let partition = |shard| keys::waiting(lane, priority, tenant, shard);
    (0..keys::WAITING_SHARDS).map(partition).collect()
}

/// The partitions in which a lane's snoozed requests wait.
fn snoozed_in(lane: &LaneId) -> Vec<String> {
    (0..keys::DUE_SHARDS)
        .map(|shard| keys::due(lane, shard))
        .collect()
}

/// One of a lane's items.
fn of(lane: &LaneId, sk: &str) -> Key {
    Key::new(keys::lane(lane), sk)
}

/// No later holder has written it.
fn not_later(epoch: Epoch) -> Expression {
    Expression::new("attribute_not_exists(#epoch) OR #epoch <= :epoch").number(":epoch", epoch.get())
}

/// A condition that names an epoch and a write's number.
fn numbered(text: &str, epoch: Epoch, seq: u64) -> Expression {
    Expression::new(text)
        .number(":epoch", epoch.get())
        .number(":seq", seq)
}

fn stale(lane: &LaneId, epoch: Epoch) -> HoldError {
    let lane = lane.clone();
    HoldError::Stale { lane, epoch }
}

fn epoch_of(item: &Item) -> Result<Epoch, Fault> {
    Ok(Epoch::new(Reading::new(item)?.number("epoch")?))
}

/// What an item says, if it says something.
fn doc<T: serde::de::DeserializeOwned>(item: &Item) -> Result<Option<T>, Fault> {
    Reading::new(item)?.maybe_json("doc")
}
