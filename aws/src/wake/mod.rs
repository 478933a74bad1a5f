//! Whoever tells a lane something makes sure that somebody listens.
//!
//! The holder of a lane promises until when it is awake: before that moment has passed it does not stop reading the
//! lane's queue, and after it has passed it polls once more before it leaves. So the order is the whole protocol:
//!
//! 1. The event is durably in the lane's queue.
//! 2. Then the promise is looked at. A remembered one serves as well as a fresh one, because a promise is never taken
//!    back.
//! 3. If it has passed, the prioritizer is invoked. Invoked for nothing it loses the race for the lease and goes.
//!
//! What a lease says of its holder is core's to judge ([`find`]): clocks may differ, so a promise that ends within their
//! difference counts as passed, and one that no holder makes counts for nothing. A crash of the holder leaves its promise
//! standing and the lane unread; the schedule of one minute is for that.

mod prioritizer;
#[cfg(test)]
mod tests;

pub use prioritizer::{Prioritizer, client};

use smoother_core::hold::{Finding, Lease, find};
use smoother_core::ports::{BoxFuture, Clock, Hold, StoreError};
use smoother_core::{LaneId, Millis};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// Hears that a lane was told something.
pub trait Wake: Send + Sync {
    /// An event of this lane is durably in its queue. Resolves once its holder is known to be awake, or was called.
    fn told<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, ()>;
}

/// Reads a lane's lease, and with it its holder's promise.
pub trait Leases: Send + Sync {
    /// As it is stored now; `None` where nobody ever held the lane.
    fn lease<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<Lease>, StoreError>>;
}

impl<T: Hold + ?Sized> Leases for T {
    fn lease<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        Hold::lease(self, lane)
    }
}

/// Calls the prioritizer.
pub trait Caller: Send + Sync {
    /// Asks for somebody to hold this lane; does not wait for it.
    fn call<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<(), String>>;
}

/// [`Wake`] by promise.
pub struct Waker {
    leases: Arc<dyn Leases>,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    lanes: BTreeMap<LaneId, Lane>,
}

#[derive(Default)]
struct Lane {
    /// How many events were told.
    told: AtomicU64,
    looked: Mutex<Looked>,
}

#[derive(Default)]
struct Looked {
    /// Events up to this one were told before the last look began.
    covers: u64,
    lease: Option<Lease>,
}

impl Waker {
    /// For these lanes.
    pub fn new(
        lanes: impl IntoIterator<Item = LaneId>,
        leases: Arc<dyn Leases>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            leases,
            caller,
            clock,
            lanes: lanes.into_iter().map(|lane| (lane, Lane::default())).collect(),
        }
    }

    fn is_awake(&self, lease: Option<&Lease>) -> bool {
        find(self.clock.now(), lease, Millis::ZERO) == Finding::Awake
    }

    async fn look(&self, id: &LaneId, lane: &Lane) {
        let mine = lane.told.fetch_add(1, Ordering::Relaxed) + 1;
        let mut looked = lane.looked.lock().await;
        // Whoever looked while this one waited began after this one's event was in the queue.
        if looked.covers >= mine || self.is_awake(looked.lease.as_ref()) {
            return;
        }
        looked.covers = lane.told.load(Ordering::Relaxed);
        match self.leases.lease(id).await {
            Ok(lease) => looked.lease = lease,
            Err(error) => tracing::warn!(lane = %id, %error, "whether its holder is awake could not be read"),
        }
        if self.is_awake(looked.lease.as_ref()) {
            return;
        }
        match self.caller.call(id).await {
            Ok(()) => tracing::debug!(lane = %id, "the prioritizer was called"),
            Err(error) => {
                tracing::warn!(lane = %id, error, "the prioritizer could not be called; its schedule finds the lane");
            }
        }
    }
}

impl Wake for Waker {
    fn told<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(state) = self.lanes.get(lane) {
                self.look(lane, state).await;
            }
        })
    }
}
