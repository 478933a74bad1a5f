//! Holding a lane where several processes may: its lease, its ledger, and what waits in it.
//!
//! A holder takes the lease, fences the ledger with its epoch and reads it ([`Hold::load`]), and from then on writes
//! the ledger before each release that it covers. What waits is in the store; a holder keeps the first few of each
//! tenant and reads on when they run low. Everything read through an index may be old; a release is a conditional
//! write, and says so.

use super::{BoxFuture, Pending, QueueError, StoreError};
use crate::hold::{Epoch, Lease};
use crate::ids::{LaneId, TenantId};
use crate::request::Priority;
use crate::scheduler::{Event, LaneReport, LaneSnapshot, TenantsSnapshot, Waiting};
use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// Something only a lane's holder may do was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// Somebody has taken the lane since: nothing was written, and nothing may be done in it any more.
    #[error("lane {lane} is held under a later epoch than {epoch}")]
    Stale {
        /// Which lane.
        lane: LaneId,
        /// The epoch of whoever asked.
        epoch: Epoch,
    },
    /// The store failed; whether it was written is unknown, and writing it again is harmless.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// What a lane's former holder left.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Its ledger as last written; `None` where nothing was ever released.
    pub ledger: Option<LaneSnapshot>,
    /// Whom it had served, as last written.
    pub tenants: Option<TenantsSnapshot>,
}

/// Requests that wait, in the order in which their tenant's go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    /// The requests. They may be gone by now, and others may be missing.
    pub waiting: Vec<Waiting>,
    /// Give this back for the next ones; `None` after the last.
    pub next: Option<String>,
}

/// A tenant's requests that wait in a band and may go, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many there are.
    pub requests: u64,
    /// When the last of them is due.
    pub last_due: Option<Timestamp>,
}

/// A tenant that may have requests waiting in a band of a lane: an entry of the lane's registry.
///
/// It is put before any write that leaves a row QUEUED there (an insert, a lapse, a step to another lane), by the
/// store itself. A process that has put it need not put it again for [`Backlogged::HOLDS_FOR`], so that it costs one
/// write a minute; whoever takes entries out leaves those alone that were put within [`Backlogged::KEPT_FOR`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Backlogged {
    /// Which band.
    pub priority: Priority,
    /// Which tenant.
    pub tenant: TenantId,
    /// When the entry was last put.
    pub at: Timestamp,
}

impl Backlogged {
    /// A process that has put an entry may count on it for so long.
    pub const HOLDS_FOR: Millis = Millis::from_secs(60);
    /// An entry is not taken out before, by the clock of whoever takes it out: it may be ahead of the one that dated
    /// the entry by as much, less what a process counts on.
    pub const KEPT_FOR: Millis = Millis::from_secs(3_600);
}

/// What the holder of a lane keeps, and what it reads. Writes under an epoch are conditional on it.
///
/// A write of whose outcome nobody knows may be followed by another: should it arrive after that one, it changes
/// nothing.
pub trait Hold: Send + Sync {
    /// The lease as it is, read consistently.
    fn lease(&self, lane: &LaneId) -> BoxFuture<'_, Result<Option<Lease>, StoreError>>;

    /// Stores `lease` if the stored one is still exactly `over` (none, where that is `None`). `false` where it is
    /// not: somebody else was faster. After an error whether it was stored is for [`Hold::lease`] to say.
    fn take(&self, lane: &LaneId, lease: Lease, over: Option<Lease>) -> Pending<Result<bool, StoreError>>;

    /// Stores `lease` in place of the same one (owner and epoch): renewed, or given back.
    fn renew(&self, lane: &LaneId, lease: Lease) -> Pending<Result<(), HoldError>>;

    /// Fences the lane's ledger, and answers what it held at that moment: from then on it cannot be written under an
    /// earlier epoch. Stale, where it was fenced under a later one.
    fn load(&self, lane: &LaneId, epoch: Epoch) -> BoxFuture<'_, Result<Held, HoldError>>;

    /// Stores the ledger, if it was last fenced under this epoch.
    fn write_ledger(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: LaneSnapshot,
    ) -> Pending<Result<(), HoldError>>;

    /// Stores whom the lane has served, unless a later holder did.
    fn write_tenants(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: TenantsSnapshot,
    ) -> Pending<Result<(), HoldError>>;

    /// Stores how the lane stands, for those who ask, unless a later holder did.
    fn write_report(&self, lane: &LaneId, epoch: Epoch, report: LaneReport)
    -> Pending<Result<(), HoldError>>;

    /// Up to `limit` of a tenant's requests that wait in a band and may go now, by due time, from `after` on.
    fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>>;

    /// How many of a tenant's requests wait in a band and may go now, as far as the index shows.
    fn count(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
    ) -> BoxFuture<'_, Result<Counted, StoreError>>;

    /// Up to `limit` of the requests that wait for their time, which comes by `until`, by that time, from `after` on.
    /// One whose time has come stays among these until it is released.
    fn due(
        &self,
        lane: &LaneId,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>>;

    /// The lane's registry, read consistently.
    fn backlog(&self, lane: &LaneId) -> BoxFuture<'_, Result<Vec<Backlogged>, StoreError>>;

    /// Takes an entry out of the registry, unless it was put again since it was read.
    fn forget_backlog(&self, lane: &LaneId, entry: Backlogged) -> Pending<Result<(), StoreError>>;
}

/// An event and what it takes to have it no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What happened.
    pub event: Event,
    /// Give this back once the event is taken up for good; until then it comes again after a while.
    pub receipt: String,
    /// Somebody was given it before, and may have died with it: what it says may be old.
    pub again: bool,
}

/// A lane's queue as its holder reads it. Events may be late, twice and out of order.
pub trait Inbox: Send + Sync {
    /// The next few events, as soon as there is one; none after `wait`.
    fn receive(&self, lane: &LaneId, wait: Millis) -> BoxFuture<'_, Result<Vec<Received>, QueueError>>;

    /// These are taken up. What cannot be taken out comes again.
    fn done(&self, lane: &LaneId, receipts: Vec<String>) -> Pending<()>;
}
