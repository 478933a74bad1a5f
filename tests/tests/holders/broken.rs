//! Adapters that break one promise each: whoever judges a run has to find each of them out.

use super::judge::lane;
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{
    Backlogged, BoxFuture, Clock, Counted, Heads, Held, Hold, HoldError, Pending, StoreError,
};
use smoother_core::scheduler::{LaneReport, LaneSnapshot, TenantsSnapshot};
use smoother_core::{LaneId, Millis, Priority, TenantId, Timestamp};
use smoother_tests::memory::{MemoryHold, World};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A ledger is written whoever fenced it.
    NoFence,
    /// A ledger counts as written before it is.
    LedgerAfterRelease,
    /// Whoever takes up a ledger does not see the calls that are not over.
    OpenCallsForgotten,
    /// The stored promise is longer than the one that its holder keeps.
    PromiseNotKept,
    /// What waits is not read once more before a lane is left.
    NoRereadOnLeaving,
    /// Nobody reads who may have something waiting.
    RegistryIgnored,
    /// Whoever's lease has not run out by its own clock may write, whatever epoch was fenced.
    LeaseForFence,
    /// What is a span to its holder is measured by the wall's clock.
    SpansByWall,
}

/// How long a ledger is on its way that counts as written.
const ON_ITS_WAY: Duration = Duration::from_millis(600);
/// How much longer a stored promise is than it should be.
const LONGER: Millis = Millis::from_secs(90);

/// A way to what holders keep that may be broken.
#[derive(Clone)]
pub struct MaybeBroken {
    pub hold: Arc<MemoryHold>,
    pub world: World,
    pub clock: Arc<dyn Clock>,
    /// The lease as this process last wrote it.
    pub lease: Arc<Mutex<Option<Lease>>>,
    pub broken: Option<Broken>,
}

impl MaybeBroken {
    fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    /// Whether this process's own lease has run out by its own clock.
    fn has_run_out(&self) -> bool {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let expires = lease.as_ref().map(|lease| lease.expires);
        expires.is_none_or(|expires| expires <= self.clock.now())
    }

    fn spoilt(&self, lease: Lease) -> Lease {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease.clone());
        if self.is(Broken::PromiseNotKept) {
            Lease {
                awake_until: lease.awake_until + LONGER,
                ..lease
            }
        } else {
            lease
        }
    }

    /// Whether the lane's holder reads in order to leave.
    fn is_left(&self) -> bool {
        let lease = self.world.lease(&lane());
        lease.is_some_and(|lease| lease.awake_until <= self.world.now())
    }

    fn reads_nothing(&self) -> bool {
        self.is(Broken::NoRereadOnLeaving) && self.is_left()
    }
}

fn without_open_calls(ledger: &LaneSnapshot) -> LaneSnapshot {
    let mut value = serde_json::to_value(ledger).expect("a ledger is JSON");
    if let Some(charges) = value["l"].as_object_mut() {
        charges.remove("o");
    }
    serde_json::from_value(value).expect("still a ledger")
}

impl Hold for MaybeBroken {
    fn lease(&self, lane: &LaneId) -> BoxFuture<'_, Result<Option<Lease>, StoreError>> {
        self.hold.lease(lane)
    }

    fn take(&self, lane: &LaneId, lease: Lease, over: Option<Lease>) -> Pending<Result<bool, StoreError>> {
        self.hold.take(lane, self.spoilt(lease), over)
    }

    fn renew(&self, lane: &LaneId, lease: Lease) -> Pending<Result<(), HoldError>> {
        self.hold.renew(lane, self.spoilt(lease))
    }

    fn load(&self, lane: &LaneId, epoch: Epoch) -> BoxFuture<'_, Result<Held, HoldError>> {
        let forgets = self.is(Broken::OpenCallsForgotten);
        let loaded = self.hold.load(lane, epoch);
        Box::pin(async move {
            let mut held = loaded.await?;
            if forgets {
                held.ledger = held.ledger.as_ref().map(without_open_calls);
            }
            Ok(held)
        })
    }

    fn write_ledger(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: LaneSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        if self.is(Broken::LeaseForFence) && self.has_run_out() {
            let lane = lane.clone();
            return Box::pin(std::future::ready(Err(HoldError::Stale { lane, epoch })));
        }
        if !self.is(Broken::LedgerAfterRelease) {
            return self.hold.write_ledger(lane, epoch, ledger);
        }
        let (hold, lane) = (Arc::clone(&self.hold), lane.clone());
        tokio::spawn(async move {
            tokio::time::sleep(ON_ITS_WAY).await;
            drop(hold.write_ledger(&lane, epoch, ledger).await);
        });
        Box::pin(std::future::ready(Ok(())))
    }

    fn write_tenants(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: TenantsSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        self.hold.write_tenants(lane, epoch, tenants)
    }

    fn write_report(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Pending<Result<(), HoldError>> {
        self.hold.write_report(lane, epoch, report)
    }

    fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        self.hold.heads(lane, priority, tenant, after, limit)
    }

    fn count(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
    ) -> BoxFuture<'_, Result<Counted, StoreError>> {
        self.hold.count(lane, priority, tenant)
    }

    fn due(
        &self,
        lane: &LaneId,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        if self.reads_nothing() {
            return Box::pin(std::future::ready(Ok(Heads::default())));
        }
        self.hold.due(lane, until, after, limit)
    }

    fn backlog(&self, lane: &LaneId) -> BoxFuture<'_, Result<Vec<Backlogged>, StoreError>> {
        if self.is(Broken::RegistryIgnored) || self.reads_nothing() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        self.hold.backlog(lane)
    }

    fn forget_backlog(&self, lane: &LaneId, entry: Backlogged) -> Pending<Result<(), StoreError>> {
        self.hold.forget_backlog(lane, entry)
    }
}
