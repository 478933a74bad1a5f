//! The calls that this process makes for those who wait in it.

use smoother_core::Timestamp;
use smoother_core::ports::Released;
use smoother_worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::TaskTracker;

/// The worker, and what it has under way.
pub(super) struct Hands {
    worker: Arc<Worker>,
    calls: TaskTracker,
    end_by: AtomicU64,
}

impl Hands {
    pub(super) fn new(worker: Arc<Worker>) -> Arc<Self> {
        let calls = TaskTracker::new();
        // Closed, it can be waited for whenever it is empty; it still takes tasks.
        calls.close();
        Arc::new(Self {
            worker,
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
                hands.worker.take(released, Some(end_by)).await;
            });
        }
    }

    /// Resolves when no call is under way.
    pub(super) async fn at_rest(&self) {
        self.calls.wait().await;
    }
}
