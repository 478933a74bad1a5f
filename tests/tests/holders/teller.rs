//! How producers and workers tell a lane something: the event first, then a look at its holder's promise.

use smoother_core::hold::SKEW;
use smoother_core::ports::{Clock, Hold, LaneQueue, Pending, QueueError};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Timestamp};
use smoother_tests::memory::PostOffice;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// One process's way to the lanes.
#[derive(Clone)]
pub struct Teller {
    pub office: PostOffice,
    pub hold: Arc<dyn Hold>,
    pub clock: Arc<dyn Clock>,
    /// Calls the prioritizer.
    pub calls: UnboundedSender<LaneId>,
    /// As last read.
    pub promise: Arc<Mutex<Timestamp>>,
}

impl Teller {
    fn trusts(&self) -> bool {
        let promise = *self.promise.lock().unwrap_or_else(PoisonError::into_inner);
        promise > self.clock.now() + SKEW
    }

    async fn look(&self, lane: &LaneId) {
        if self.trusts() {
            return;
        }
        if let Ok(lease) = self.hold.lease(lane).await {
            let promised = lease.map_or(Timestamp::EPOCH, |lease| lease.awake_until);
            *self.promise.lock().unwrap_or_else(PoisonError::into_inner) = promised;
        }
        if !self.trusts() {
            // Nobody answers a call; whoever made it may be gone by now.
            let _ = self.calls.send(lane.clone());
        }
    }
}

impl LaneQueue for Teller {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        let sent = self.office.send(lane, event);
        let (teller, lane) = (self.clone(), lane.clone());
        let told = tokio::spawn(async move {
            sent.await?;
            teller.look(&lane).await;
            Ok(())
        });
        Box::pin(async move { told.await.unwrap_or(Ok(())) })
    }
}
