//! Polls of the lane's queue: one waits all the time, more when there is much to read.

use super::HoldPorts;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smoother_core::ports::{BoxFuture, Received};
use smoother_core::{LaneId, Millis};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long a poll waits for an event.
const WAIT: Millis = Millis::from_secs(5);
/// How long the last one waits: a poll that does not wait may pass over what is there.
const LAST_WAIT: Millis = Millis::from_secs(1);
/// A poll that brings as much as this was full.
const FULL: usize = 10;
/// Polls at once, while they come back full.
const MANY: usize = 4;
/// How long a queue that failed is left alone.
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// The polls under way.
pub(super) struct Polls {
    ports: Arc<HoldPorts>,
    lane: LaneId,
    wanted: usize,
    under_way: FuturesUnordered<BoxFuture<'static, Vec<Received>>>,
}

impl Polls {
    pub(super) fn new(ports: Arc<HoldPorts>, lane: LaneId) -> Self {
        Self {
            ports,
            lane,
            wanted: 1,
            under_way: FuturesUnordered::new(),
        }
    }

    pub(super) fn any(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Begins as many as are wanted.
    pub(super) fn keep(&self) {
        while self.under_way.len() < self.wanted {
            self.begin(WAIT);
        }
    }

    /// Begins the one after which nobody reads the queue any more.
    pub(super) fn begin_last(&self) {
        self.begin(LAST_WAIT);
    }

    fn begin(&self, wait: Millis) {
        let (ports, lane) = (Arc::clone(&self.ports), self.lane.clone());
        let poll = async move {
            match ports.inbox.receive(&lane, wait).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%lane, %error, "the lane's queue could not be read");
                    sleep(FAILED_PAUSE).await;
                    Vec::new()
                }
            }
        };
        self.under_way.push(poll.boxed());
    }

    /// What the next poll brings; only where there is [`Polls::any`].
    pub(super) async fn polled(&mut self) -> Vec<Received> {
        let Some(events) = self.under_way.next().await else {
            return std::future::pending().await;
        };
        self.wanted = match events.len() {
            0 => 1,
            some if some >= FULL => MANY,
            _ => self.wanted,
        };
        events
    }
}
