//! The port `Hold`.

use super::fault::Touched;
use super::process::Process;
use super::tables::Tables;
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{
    Backlogged, BoxFuture, Counted, Heads, Held, Hold, HoldError, Pending, StoreError,
};
use smoother_core::scheduler::{LaneReport, LaneSnapshot, TenantsSnapshot};
use smoother_core::{LaneId, Priority, TenantId, Timestamp};

/// One process's way to what the holders of lanes keep.
#[derive(Debug, Clone)]
pub struct MemoryHold(pub(super) Process);

impl MemoryHold {
    fn write_held<T: Send + 'static>(
        &self,
        touched: Touched,
        lane: &LaneId,
        apply: impl Fn(&mut Tables, &LaneId) -> Result<T, HoldError> + Send + 'static,
    ) -> Pending<Result<T, HoldError>> {
        let lane = lane.clone();
        self.0.write(touched, None, move |tables, _| apply(tables, &lane))
    }
}

impl Hold for MemoryHold {
    fn lease(&self, lane: &LaneId) -> BoxFuture<'_, Result<Option<Lease>, StoreError>> {
        let lane = lane.clone();
        Box::pin(
            self.0
                .read(Touched::Lease, None, move |tables| Ok(tables.held.lease(&lane))),
        )
    }

    fn take(&self, lane: &LaneId, lease: Lease, over: Option<Lease>) -> Pending<Result<bool, StoreError>> {
        let lane = lane.clone();
        self.0.write(Touched::Take, None, move |tables, _| {
            Ok(tables.held.take(&lane, lease.clone(), over.as_ref()))
        })
    }

    fn renew(&self, lane: &LaneId, lease: Lease) -> Pending<Result<(), HoldError>> {
        self.write_held(Touched::Renew, lane, move |tables, lane| {
            tables.held.renew(lane, lease.clone())
        })
    }

    fn load(&self, lane: &LaneId, epoch: Epoch) -> BoxFuture<'_, Result<Held, HoldError>> {
        self.write_held(Touched::Load, lane, move |tables, lane| {
            tables.held.load(lane, epoch)
        })
    }

    fn write_ledger(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: LaneSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        self.write_held(Touched::WriteLedger, lane, move |tables, lane| {
            tables.held.write_ledger(lane, epoch, &ledger)
        })
    }

    fn write_tenants(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: TenantsSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        self.write_held(Touched::WriteTenants, lane, move |tables, lane| {
            tables.held.write_tenants(lane, epoch, &tenants)
        })
    }

    fn write_report(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Pending<Result<(), HoldError>> {
        self.write_held(Touched::WriteReport, lane, move |tables, lane| {
            tables.held.write_report(lane, epoch, report.clone())
        })
    }

    fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        let (lane, tenant) = (lane.clone(), tenant.clone());
        Box::pin(self.0.read(Touched::Heads, None, move |tables| {
            Ok(tables
                .indexes
                .heads(&lane, priority, &tenant, after.as_deref(), limit))
        }))
    }

    fn count(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
    ) -> BoxFuture<'_, Result<Counted, StoreError>> {
        let (lane, tenant) = (lane.clone(), tenant.clone());
        Box::pin(self.0.read(Touched::Heads, None, move |tables| {
            Ok(tables.indexes.count(&lane, priority, &tenant))
        }))
    }

    fn due(
        &self,
        lane: &LaneId,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        let lane = lane.clone();
        Box::pin(self.0.read(Touched::Due, None, move |tables| {
            Ok(tables.indexes.due(&lane, until, after.as_deref(), limit))
        }))
    }

    fn backlog(&self, lane: &LaneId) -> BoxFuture<'_, Result<Vec<Backlogged>, StoreError>> {
        let lane = lane.clone();
        Box::pin(self.0.read(Touched::Backlog, None, move |tables| {
            Ok(tables.held.backlog(&lane))
        }))
    }

    fn forget_backlog(&self, lane: &LaneId, entry: Backlogged) -> Pending<Result<(), StoreError>> {
        let lane = lane.clone();
        self.0.write(Touched::ForgetBacklog, None, move |tables, _| {
            tables.held.forget(&lane, &entry);
            Ok(())
        })
    }
}
