//! Keeping a lease: renewed at a third of its time, given up at two thirds by this process's own monotonic clock.

use super::{HoldPorts, monotonic};
use smoother_core::hold::{Epoch, Lease, RENEW_EVERY, STOP_AFTER};
use smoother_core::ports::{BoxFuture, HoldError};
use smoother_core::{LaneId, Timestamp};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How soon a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The lease of this holding, and when it was last known to be kept.
pub(super) struct Renewal {
    lease: Lease,
    /// The last write of it that succeeded was begun then.
    kept: Instant,
    next: Instant,
    promising: bool,
    under_way: Option<Write>,
}

struct Write {
    lease: Lease,
    promises: bool,
    begun: Instant,
    outcome: BoxFuture<'static, Result<(), HoldError>>,
}

impl Renewal {
    /// A lease whose taking begins now.
    pub(super) fn new(lease: Lease) -> Self {
        let now = monotonic();
        Self {
            lease,
            kept: now,
            next: now + RENEW_EVERY.into(),
            promising: true,
            under_way: None,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.lease.epoch
    }

    pub(super) fn lease(&self) -> Lease {
        self.lease.clone()
    }

    pub(super) fn is(&self, lease: &Lease) -> bool {
        self.lease == *lease
    }

    /// Whether nobody can say any more that the lease is still this holder's.
    pub(super) fn is_over(&self) -> bool {
        self.kept.elapsed() >= Duration::from(STOP_AFTER)
    }

    /// Until then others believe it to read the lane's queue, by this process's clock.
    pub(super) fn promised_until(&self) -> Timestamp {
        let written = self.under_way.as_ref().map_or(&self.lease, |write| &write.lease);
        written.awake_until.max(self.lease.awake_until)
    }

    /// Promises no longer.
    pub(super) fn stop_promising(&mut self) {
        self.promising = false;
    }

    /// Promises again, at once.
    pub(super) fn promise_again(&mut self) {
        self.promising = true;
        self.next = monotonic();
    }

    /// Begins to renew it when it is time to.
    pub(super) fn keep(&mut self, ports: &HoldPorts, lane: &LaneId) {
        if self.under_way.is_none() && monotonic() >= self.next {
            let lease = self.lease.renewed(ports.lane.clock.now(), self.promising);
            self.under_way = Some(Write {
                outcome: ports.hold.renew(lane, lease.clone()),
                lease,
                promises: self.promising,
                begun: monotonic(),
            });
        }
    }

    /// Does `what`, and keeps the lease meanwhile. Stale, where it could not.
    pub(super) async fn kept_while<T>(
        &mut self,
        ports: &HoldPorts,
        lane: &LaneId,
        what: impl Future<Output = Result<T, HoldError>>,
    ) -> Result<T, HoldError> {
        let mut what = std::pin::pin!(what);
        let stale = HoldError::Stale {
            lane: lane.clone(),
            epoch: self.epoch(),
        };
        loop {
            if self.is_over() {
                return Err(stale);
            }
            self.keep(ports, lane);
            let look = self.looks_at();
            tokio::select! {
                biased;
                done = &mut what => return done,
                outcome = self.renewed() => {
                    self.heard(&outcome);
                    if matches!(outcome, Err(HoldError::Stale { .. })) {
                        return Err(stale);
                    }
                }
                () = sleep_until(look) => {}
            }
        }
    }

    /// When something is to be done about it.
    pub(super) fn looks_at(&self) -> Instant {
        let stop = self.kept + STOP_AFTER.into();
        if self.under_way.is_some() {
            stop
        } else {
            stop.min(self.next)
        }
    }

    /// Hears of the renewal under way; never, while there is none.
    pub(super) async fn renewed(&mut self) -> Result<(), HoldError> {
        match &mut self.under_way {
            Some(write) => (&mut write.outcome).await,
            None => std::future::pending().await,
        }
    }

    /// Takes note of what [`Renewal::renewed`] said. An error that leaves it open counts as not renewed, but its
    /// promise may have been heard.
    pub(super) fn heard(&mut self, outcome: &Result<(), HoldError>) {
        let Some(write) = self.under_way.take() else {
            return;
        };
        self.lease.awake_until = self.lease.awake_until.max(write.lease.awake_until);
        if outcome.is_ok() {
            self.kept = write.begun;
            self.lease = write.lease;
            // Asked to promise again while this was under way, it does so at once.
            if write.promises == self.promising {
                self.next = write.begun + RENEW_EVERY.into();
            }
        } else {
            self.next = monotonic() + AGAIN;
        }
    }
}
