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

/// Writes under an epoch that was over when they arrived: of a lease after it was taken, of a ledger after it was
/// fenced, and of what is only for information after a later holder wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StaleWrites {
    /// Those that changed nothing.
    pub refused: u64,
    /// Those that were let through.
    pub accepted: u64,
}

/// What is written under an epoch, and decides something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fenced {
    Lease,
    Ledger,
}

#[derive(Debug, Default)]
pub(super) struct HeldTables {
    leases: BTreeMap<LaneId, Lease>,
    ledgers: BTreeMap<LaneId, LedgerItem>,
    tenants: BTreeMap<LaneId, (Epoch, String)>,
    reports: BTreeMap<LaneId, (Epoch, LaneReport)>,
    registry: BTreeMap<(LaneId, Priority, TenantId), Timestamp>,
    /// The latest epoch under which each lane's lease was taken, and its ledger fenced. Kept beside what the conditions
    /// of writes look at, so that one that lets through what it must not is found out.
    latest: BTreeMap<(LaneId, Fenced), Epoch>,
    pub(super) stale_writes: StaleWrites,
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
            self.latest.insert((lane.clone(), Fenced::Lease), lease.epoch);
            self.leases.insert(lane.clone(), lease);
        }
        free
    }

    pub(super) fn renew(&mut self, lane: &LaneId, lease: Lease) -> Result<(), HoldError> {
        let epoch = lease.epoch;
        let stored = self.leases.get_mut(lane);
        let mine = stored.filter(|stored| (stored.epoch, &stored.owner) == (epoch, &lease.owner));
        let may = mine.is_some();
        if let Some(mine) = mine {
            *mine = lease;
        }
        self.judged(lane, Fenced::Lease, epoch, may)
    }

    pub(super) fn load(&mut self, lane: &LaneId, epoch: Epoch) -> Result<Held, HoldError> {
        let item = self.ledgers.entry(lane.clone()).or_default();
        let may = item.fenced <= epoch;
        if may {
            item.fenced = epoch;
        }
        let ledger = item.ledger.as_deref().map(read).transpose()?;
        let tenants = self.tenants.get(lane).map(|(_, text)| read(text)).transpose()?;
        self.judged(lane, Fenced::Ledger, epoch, may)?;
        Ok(Held { ledger, tenants })
    }

    pub(super) fn write_ledger(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: &LaneSnapshot,
    ) -> Result<(), HoldError> {
        let item = self.ledgers.entry(lane.clone()).or_default();
        let may = item.fenced == epoch || self.unfenced;
        if may {
            item.ledger = Some(written(ledger)?);
        }
        self.judged(lane, Fenced::Ledger, epoch, may)
    }

    pub(super) fn write_tenants(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: &TenantsSnapshot,
    ) -> Result<(), HoldError> {
        let may = self.tenants.get(lane).is_none_or(|(by, _)| *by <= epoch);
        if may {
            self.tenants.insert(lane.clone(), (epoch, written(tenants)?));
        }
        self.answered(lane, epoch, may)
    }

    pub(super) fn write_report(
        &mut self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Result<(), HoldError> {
        let may = self.reports.get(lane).is_none_or(|(by, _)| *by <= epoch);
        if may {
            self.reports.insert(lane.clone(), (epoch, report));
        }
        self.answered(lane, epoch, may)
    }

    /// Counts a write under an epoch that decides something, and answers it.
    fn judged(&mut self, lane: &LaneId, what: Fenced, epoch: Epoch, may: bool) -> Result<(), HoldError> {
        let latest = self.latest.entry((lane.clone(), what)).or_default();
        if epoch < *latest && may {
            self.stale_writes.accepted += 1;
        }
        if may {
            *latest = epoch.max(*latest);
        }
        self.answered(lane, epoch, may)
    }

    /// The same of one that only informs: until a later holder has written its own, an earlier one's stands.
    fn answered(&mut self, lane: &LaneId, epoch: Epoch, may: bool) -> Result<(), HoldError> {
        if may {
            return Ok(());
        }
        self.stale_writes.refused += 1;
        Err(stale(lane, epoch))
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
