//! Writing the lane's ledger before what it covers.
//!
//! At most one write is under way. What is decided meanwhile, and the events that are taken in, collect for the next,
//! so a busy lane writes as often as the store answers and an idle one not at all.

use super::{HoldPorts, monotonic};
use crate::drive::Drive;
use futures_util::FutureExt;
use smoother_core::hold::Epoch;
use smoother_core::ports::{BoxFuture, HoldError, LaneMemory};
use smoother_core::scheduler::Command;
use smoother_core::{LaneId, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How soon a write that failed is made again.
const AGAIN: Duration = Duration::from_millis(200);

/// What a written ledger says: its number, and what is in it beside charges.
type Said = (u64, LaneMemory);
/// A release and when it was decided.
type Decided = (Command, Timestamp);

/// The lane's ledger as it is stored, and what waits for it to be.
pub(super) struct Ledger {
    ports: Arc<HoldPorts>,
    lane: LaneId,
    epoch: Epoch,
    stored: Option<Said>,
    stored_at: Instant,
    under_way: Option<Write>,
    /// Covered by no stored ledger yet, beside those that the drive withholds: a write of it failed.
    releases: Vec<Decided>,
    /// Events that were taken in, and that no stored ledger knows of.
    receipts: Vec<String>,
    not_before: Instant,
}

struct Write {
    says: Said,
    begun: Instant,
    releases: Vec<Decided>,
    receipts: Vec<String>,
    outcome: BoxFuture<'static, Result<(), HoldError>>,
}

fn said(drive: &Drive) -> Said {
    (drive.scheduler.ledger_version(), drive.scheduler.memory())
}

impl Ledger {
    /// Nothing is stored under this epoch yet.
    pub(super) fn new(ports: Arc<HoldPorts>, lane: LaneId, epoch: Epoch) -> Self {
        let now = monotonic();
        Self {
            ports,
            lane,
            epoch,
            stored: None,
            stored_at: now,
            under_way: None,
            releases: Vec::new(),
            receipts: Vec::new(),
            not_before: now,
        }
    }

    /// The scheduler as it is now says what was read.
    pub(super) fn stands_as(&mut self, drive: &Drive) {
        self.stored = Some(said(drive));
    }

    /// An event was taken in.
    pub(super) fn took_in(&mut self, receipt: String) {
        self.receipts.push(receipt);
    }

    /// Whether everything that was decided and taken in is stored.
    pub(super) fn is_settled(&self, drive: &Drive) -> bool {
        let open = self.under_way.is_some() || drive.withholds();
        !open && self.releases.is_empty() && self.receipts.is_empty() && self.stored == Some(said(drive))
    }

    /// How old what is stored is.
    pub(super) fn age(&self) -> Duration {
        self.stored_at.elapsed()
    }

    /// Begins to write the ledger, if it says something new; else the events that were taken in are done with.
    pub(super) fn write(&mut self, drive: &mut Drive, anew: bool) {
        if self.under_way.is_some() || monotonic() < self.not_before {
            return;
        }
        let says = said(drive);
        if self.stored == Some(says) && !anew {
            let receipts = std::mem::take(&mut self.receipts);
            self.done(drive, receipts);
            return;
        }
        let mut releases = std::mem::take(&mut self.releases);
        releases.extend(drive.take_releases());
        let ledger = drive.scheduler.snapshot(drive.now());
        self.under_way = Some(Write {
            says,
            begun: monotonic(),
            releases,
            receipts: std::mem::take(&mut self.receipts),
            outcome: self.ports.hold.write_ledger(&self.lane, self.epoch, ledger),
        });
    }

    /// When a write that failed may be made again, if one waits for that.
    pub(super) fn looks_at(&self) -> Option<Instant> {
        (self.under_way.is_none() && self.not_before > monotonic()).then_some(self.not_before)
    }

    /// Hears of the write under way; never, while there is none.
    pub(super) async fn written(&mut self) -> Result<(), HoldError> {
        match &mut self.under_way {
            Some(write) => (&mut write.outcome).await,
            None => std::future::pending().await,
        }
    }

    /// Takes note of what [`Ledger::written`] said: what it covers goes now, or waits for the next write.
    pub(super) fn heard(&mut self, drive: &mut Drive, outcome: &Result<(), HoldError>) {
        let Some(write) = self.under_way.take() else {
            return;
        };
        if let Err(error) = outcome {
            tracing::warn!(lane = %self.lane, %error, "the lane's ledger could not be written; its releases wait");
            self.releases = write.releases;
            self.receipts.splice(..0, write.receipts);
            self.not_before = monotonic() + AGAIN;
            return;
        }
        self.stored = Some(write.says);
        self.stored_at = write.begun;
        for (release, at) in write.releases {
            drive.begin(release, at);
        }
        self.done(drive, write.receipts);
    }

    fn done(&self, drive: &Drive, receipts: Vec<String>) {
        if !receipts.is_empty() {
            let done = self.ports.inbox.done(&self.lane, receipts);
            drive.await_also(done.map(|()| Vec::new()).boxed());
        }
    }
}
