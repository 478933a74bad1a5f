//! Messages that leave the house: the results queue, a topic, the dead letters of the input queue.

use super::{Pending, QueueError};

/// A text on its way to somebody who reads it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// What readers may filter by without parsing the body: name and value, neither empty; ten at most.
    pub attributes: Vec<(String, String)>,
}

/// A queue or topic that takes messages.
pub trait Mailbox: Send + Sync {
    /// Sends a message. `Ok` means that it is durably with the queue; it may be delivered more than once.
    ///
    /// # Errors
    /// [`QueueError::Failed`] where it was not taken after some tries: nothing was sent, or nobody can know.
    fn post(&self, message: Message) -> Pending<Result<(), QueueError>>;
}
