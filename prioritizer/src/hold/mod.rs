//! Holding a lane where several processes may want to: what the prioritizer does on AWS.
//!
//! ```text
//! take the lease ─▶ fence and read the ledger ─▶ read what waits ─▶ work ─▶ leave
//!   (lost the race:                                                  │        let the promise pass,
//!    success)                                                        │        poll and read once more,
//!                                                                    ▼        give the lease back
//!            events ─▶ step ─▶ write the ledger ─▶ record and dispatch the releases; events are done with
//! ```
//!
//! - **The ledger goes first.** A step's releases are recorded only when a ledger that covers them is stored. While
//!   one write is under way, further steps collect for the next. An event is taken out of the queue only when the
//!   ledger that knows of it is stored; until then it would come to the next holder too.
//! - **The epoch is the fence.** Whoever takes the lease fences the ledger with it before reading it. A holder that
//!   was paused finds that out at its next write of the ledger and stops. What it had written before, its successor
//!   knows; what it records of that later is either in time, or its number is void by then.
//! - **The promise.** As long as it works, the holder promises to read the lane's queue. It stops promising before it
//!   leaves, and leaves only when the last promise has passed, the queue was polled once more and what waits was read
//!   once more. Whoever tells the lane something after that finds the promise passed and calls somebody, who finds
//!   the lease free, or waits for it.
//! - **What waits** is read: from the registry of who may have something, the first few of each, and on when they run
//!   low. A request that nobody told of, because its producer died, is found that way within about a minute.
//! - **What is told** may be old: an arrival that was told before, or whose request was heard to leave or to end, is
//!   believed once its row was read, and so is a newcomer for whom others are to make room ([`arrivals`]).
//! - **Time** goes by the monotonic clock from the moment the holding began ([`steady`]): a wall clock may be set.
//!
//! It has no clock of its own but the runtime's, so all of it runs in virtual time.

mod arrivals;
mod holder;
mod leaving;
mod ledger;
mod polls;
mod renewal;
mod steady;
mod sweep;
mod take;
mod waiting;

use crate::lane::LanePorts;
use holder::Holder;
use smoother_core::LaneId;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{Hold, HoldError, Inbox, StoreError};
use smoother_core::scheduler::Handing;
use std::sync::Arc;
use steady::SteadyClock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What holding a lane needs of the world.
#[derive(Clone)]
pub struct HoldPorts {
    /// What any lane needs.
    pub lane: Arc<LanePorts>,
    /// The lease, the ledger, and what waits.
    pub hold: Arc<dyn Hold>,
    /// The lane's queue.
    pub inbox: Arc<dyn Inbox>,
    /// How releases reach the workers.
    pub handing: Handing,
    /// Cancelled when another is to hold the lane from now on: it is left as if the time were up.
    pub relieved: CancellationToken,
}

impl HoldPorts {
    /// The same, by another clock.
    fn by(&self, clock: &Arc<SteadyClock>) -> Self {
        let lane = &self.lane;
        Self {
            lane: Arc::new(LanePorts {
                store: Arc::clone(&lane.store),
                payloads: Arc::clone(&lane.payloads),
                dispatch: Arc::clone(&lane.dispatch),
                lanes: Arc::clone(&lane.lanes),
                clock: clock.clone(),
            }),
            hold: Arc::clone(&self.hold),
            inbox: Arc::clone(&self.inbox),
            handing: self.handing,
            relieved: self.relieved.clone(),
        }
    }
}

/// How holding a lane ended. None of them is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    /// Somebody else holds it and is awake: there was nothing to do.
    Elsewhere,
    /// Nothing was left to do; the lease was given back.
    Idle,
    /// Its time was up, it was relieved, or its clock was found to be behind; the lease was given back, and work may be
    /// left for the next.
    TimeUp,
    /// The lease could not be kept, or was taken: nothing was done in the lane since.
    Lost,
}

/// A lane could not be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lane {lane} could not be held: {cause}")]
pub struct HoldFailure {
    lane: LaneId,
    cause: StoreError,
}

/// The runtime's monotonic time. Spans of this process alone are measured by it: a lease is given up by it, whatever
/// the wall clock says, and virtual time moves it.
#[allow(clippy::disallowed_methods, reason = "it is the runtime's, which tests move")]
fn monotonic() -> Instant {
    Instant::now()
}

/// Holds a lane until there is nothing left to do, `until` has come, or somebody else has taken it.
///
/// `owner` names this holding and must never be used again. By `until` it has left; it begins to leave 18 s
/// before.
///
/// # Errors
/// The store could not be read: whether the lease is free, what the last holder left, or what waits.
pub async fn hold(
    config: &Config,
    lane: &LaneConfig,
    ports: Arc<HoldPorts>,
    owner: &str,
    until: Instant,
) -> Result<HoldEnd, HoldFailure> {
    let failed = |cause| HoldFailure {
        lane: lane.id.clone(),
        cause,
    };
    let clock = Arc::new(SteadyClock::new(Arc::clone(&ports.lane.clock)));
    let ports = Arc::new(ports.by(&clock));
    let Some(renewal) = take::take(&ports, &lane.id, owner, until).await.map_err(failed)? else {
        return Ok(HoldEnd::Elsewhere);
    };
    tracing::debug!(lane = %lane.id, epoch = %renewal.epoch(), "the lane is held");
    match Holder::load(config, lane, Arc::clone(&ports), clock, renewal, until).await {
        Ok(holder) => Ok(holder.run().await),
        Err(HoldError::Stale { .. }) => Ok(HoldEnd::Lost),
        // The lease is left to expire: whoever came next at once would fail as well.
        Err(HoldError::Store(cause)) => Err(failed(cause)),
    }
}
