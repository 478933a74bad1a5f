//! What the holders of lanes keep: leases, ledgers, and the registry of who may have something waiting.

use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{Backlogged, Held, HoldError, StoreError};
use smoother_core::scheduler::{LaneReport, LaneSnapshot, TenantsSnapshot};
use smoother_core::{LaneId, Priority, Request, State, TenantId, Timestamp};
use std::collections::BTreeMap;

/// A lane's ledger, as text like every store keeps it.
#[derive(Debug, Default)]
struct LedgerItem {
    fenced: Epoch,
    ledger: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct HeldTables {
    leases: BTreeMap<LaneId, Lease>,
    ledgers: BTreeMap<LaneId, LedgerItem>,
    tenants: BTreeMap<LaneId, (Epoch, String)>,
    reports: BTreeMap<LaneId, (Epoch, LaneReport)>,
    registry: BTreeMap<(LaneId, Priority, TenantId), Timestamp>,
    /// Writes of a ledger that were let through although a later holder had fenced it.
    pub(super) stale_writes: Vec<(LaneId, Epoch)>,
    /// Nothing is fenced: for showing that whoever judges a run sees it.
    pub(super) unfenced: bool,
    /// The time of the world, as of the last write.
    pub(super) now: Timestamp,
}

impl HeldTables {
    pub(super) fn lease(&self, lane: &LaneId) -> Option<Lease> {
        self.leases.get(lane).cloned()
    }

    pub(super) fn take(&mut self, lane: &LaneId, lease: Lease, over: Option<&Lease>) -> bool {
        let free = self.leases.get(lane) == over;
        if free {
            self.leases.insert(lane.clone(), lease);
        }
        free
    }

    pub(super) fn renew(&mut self, lane: &LaneId, lease: Lease) -> Result<(), HoldError> {
        match self.leases.get_mut(lane) {
            Some(mine) if (mine.epoch, &mine.owner) == (lease.epoch, &lease.owner) => {
                *mine = lease;
                Ok(())
            }
            _ => Err(stale(lane, lease.epoch)),
        }
    }

    pub(super) fn load(&mut self, lane: &LaneId, epoch: Epoch) -> Result<Held, HoldError> {
        let item = self.ledgers.entry(lane.clone()).or_default();
        if item.fenced > epoch {
            return Err(stale(lane, epoch));
        }
        item.fenced = epoch;
        let ledger = item.ledger.as_deref().map(read).transpose()?;
        let tenants = self.tenants.get(lane).map(|(_, text)| read(text)).transpose()?;
        Ok(Held { ledger, tenants })
    }

    pub(super) fn write_ledger(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: &LaneSnapshot,
    ) -> Result<(), HoldError> {
        let item = self.ledgers.entry(lane.clone()).or_default();
        if item.fenced != epoch {
            if !self.unfenced {
                return Err(stale(lane, epoch));
            }
            self.stale_writes.push((lane.clone(), epoch));
        }
        item.ledger = Some(written(ledger)?);
        Ok(())
    }

    pub(super) fn write_tenants(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: &TenantsSnapshot,
    ) -> Result<(), HoldError> {
        if self.tenants.get(lane).is_some_and(|(by, _)| *by > epoch) {
            return Err(stale(lane, epoch));
        }
        self.tenants.insert(lane.clone(), (epoch, written(tenants)?));
        Ok(())
    }

    pub(super) fn write_report(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Result<(), HoldError> {
        if self.reports.get(lane).is_some_and(|(by, _)| *by > epoch) {
            return Err(stale(lane, epoch));
        }
        self.reports.insert(lane.clone(), (epoch, report));
        Ok(())
    }

    pub(super) fn report(&self, lane: &LaneId) -> Option<LaneReport> {
        self.reports.get(lane).map(|(_, report)| report.clone())
    }

    /// A row that waits has its tenant in the registry.
    pub(super) fn register(&mut self, row: &Request) {
        if row.state != State::Queued {
            return;
        }
        let now = self.now;
        let put = self
            .registry
            .entry((row.lane.clone(), row.priority, row.tenant.clone()))
            .or_insert(now);
        // Within that time a process remembers that it has put it.
        if now.since(*put) >= Backlogged::HOLDS_FOR {
            *put = now;
        }
    }

    pub(super) fn backlog(&self, lane: &LaneId) -> Vec<Backlogged> {
        let of_lane = self.registry.iter().filter(|((of, _, _), _)| of == lane);
        of_lane
            .map(|((_, priority, tenant), at)| Backlogged {
                priority: *priority,
                tenant: tenant.clone(),
                at: *at,
            })
            .collect()
    }

    pub(super) fn forget(&mut self, lane: &LaneId, entry: &Backlogged) {
        let key = (lane.clone(), entry.priority, entry.tenant.clone());
        if self.registry.get(&key) == Some(&entry.at) {
            self.registry.remove(&key);
        }
    }
}

fn stale(lane: &LaneId, epoch: Epoch) -> HoldError {
    HoldError::Stale {
        lane: lane.clone(),
        epoch,
    }
}

fn written<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}
