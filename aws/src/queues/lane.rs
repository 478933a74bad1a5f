//! Events into the lanes: one standard queue a lane, the event as JSON. Late, twice and out of order is fine, since
//! the scheduler stands it.
//!
//! The order of the two steps is the protocol: first the event is durably in the queue, then whoever holds the lane
//! is looked at, and woken if nobody does. Whoever leaves a lane polls once more after its promise to be awake has
//! passed, so an event is either seen by that poll, or finds the promise passed.

use super::Outgoing;
use crate::wake::Wake;
use smoother_core::LaneId;
use smoother_core::ports::{LaneQueue, Mailbox, Message, Pending, QueueError};
use smoother_core::scheduler::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the queue is called in errors.
const NAME: &str = "a lane's queue";

/// The lanes' queues, by lane.
pub struct LaneQueues {
    lanes: BTreeMap<LaneId, Outgoing>,
    wake: Arc<dyn Wake>,
}

impl LaneQueues {
    /// Sends to these; `wake` is asked after each event.
    pub fn new(lanes: BTreeMap<LaneId, Outgoing>, wake: Arc<dyn Wake>) -> Self {
        Self { lanes, wake }
    }
}

impl LaneQueue for LaneQueues {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        let Some(queue) = self.lanes.get(lane) else {
            return Box::pin(std::future::ready(Err(QueueError::UnknownLane(lane.clone()))));
        };
        let body = match serde_json::to_string(&event) {
            Ok(body) => body,
            Err(error) => {
                let refused = QueueError::Failed {
                    queue: NAME,
                    cause: error.to_string(),
                };
                return Box::pin(std::future::ready(Err(refused)));
            }
        };
        let sent = queue.post(Message {
            body,
            attributes: Vec::new(),
        });
        let (wake, lane) = (Arc::clone(&self.wake), lane.clone());
        // Begun here, as the port has it: whoever does not await it has told the lane all the same.
        let told = tokio::spawn(async move {
            sent.await?;
            wake.told(&lane).await;
            Ok(())
        });
        Box::pin(async move {
            told.await.unwrap_or_else(|_| {
                Err(QueueError::Failed {
                    queue: NAME,
                    cause: "telling it was broken off".to_owned(),
                })
            })
        })
    }
}
