//! Released requests on their way to the workers.

use super::Outgoing;
use futures_util::future::join_all;
use smoother_core::ports::{Dispatch, Mailbox, Message, Pending, QueueError, Released};

/// The dispatch queue. What its caller's own function runs is not sent: that function watches the row.
pub struct DispatchQueue(Outgoing);

impl DispatchQueue {
    /// Sends to this queue.
    pub const fn new(queue: Outgoing) -> Self {
        Self(queue)
    }
}

impl Dispatch for DispatchQueue {
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        let sent: Vec<_> = released.iter().map(|one| self.post(one)).collect();
        Box::pin(async move { join_all(sent).await.into_iter().collect() })
    }
}

impl DispatchQueue {
    fn post(&self, released: &Released) -> Pending<Result<(), QueueError>> {
        match serde_json::to_string(released) {
            Ok(body) => self.0.post(Message {
                body,
                attributes: Vec::new(),
            }),
            Err(error) => Box::pin(std::future::ready(Err(QueueError::Failed {
                queue: "the dispatch queue",
                cause: error.to_string(),
            }))),
        }
    }
}
