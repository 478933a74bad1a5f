//! The calls that this process makes for those who wait in it.

use crate::budget::is_worth_a_call;
use smoother_core::Timestamp;
use smoother_core::ports::{Clock, Released};
use smoother_worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::TaskTracker;

/// The worker, and what it has under way.
pub(super) struct Hands {
    worker: Arc<Worker>,
    clock: Arc<dyn Clock>,
    calls: TaskTracker,
    end_by: AtomicU64,
}

impl Hands {
    pub(super) fn new(worker: Arc<Worker>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let calls = TaskTracker::new();
        // Closed, it can be waited for whenever it is empty; it still takes tasks.
        calls.close();
        Arc::new(Self {
            worker,
            clock,
            calls,
            end_by: AtomicU64::new(Timestamp::NEVER.as_millis()),
        })
    }

    /// Calls that are begun from now on are over by then.
    pub(super) fn end_calls_by(&self, at: Timestamp) {
        self.end_by.store(at.as_millis(), Ordering::Relaxed);
    }

    /// Takes up what is released to this process, for as long as it lives.
    pub(super) async fn take_up(self: Arc<Self>, mut released: UnboundedReceiver<Released>) {
        while let Some(released) = released.recv().await {
            let hands = Arc::clone(&self);
            self.calls.spawn(async move {
                let end_by = Timestamp::from_millis(hands.end_by.load(Ordering::Relaxed));
                let (request, call) = (released.request, released.call);
                if !is_worth_a_call(end_by, hands.clock.now()) {
                    tracing::warn!(%request, %call, "too little time is left for a call");
                    return;
                }
                if let Err(error) = hands.worker.take(released, Some(end_by)).await {
                    // Its release lapses, and the next one is a worker's.
                    tracing::error!(%request, %call, %error, "a release was not taken up");
                }
            });
        }
    }

    /// Resolves when no call is under way.
    pub(super) async fn at_rest(&self) {
        self.calls.wait().await;
    }
}
