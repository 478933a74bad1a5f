//! SQS: the lane queues, the dispatch queue, and the queues that leave the house.
//!
//! Everything that is sent goes through an [`Outgoing`]: a message that finds nothing under way leaves at once, and
//! what comes while others are on their way leaves with the next batch. Ten messages then cost one call, and none
//! waits for a timer.
//!
//! A batch's failed entries come inside a success. They are sent again, with growing pauses, and told as errors when
//! that does not help; those that the service calls the sender's fault are told at once. A call that fails as a whole
//! goes the same way. What was sent, but not answered, is sent again: readers stand a message that comes twice.

pub(crate) mod answered;
mod batch;
mod dispatch;
mod inbox;
mod lane;
mod outgoing;
mod sqs;
#[cfg(test)]
mod tests;

pub use dispatch::DispatchQueue;
pub use inbox::LaneInboxes;
pub use lane::LaneQueues;
pub use outgoing::{Failed, Outgoing, Refused, Transport};
pub use sqs::SqsQueue;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use std::time::Duration;

/// A poll of twenty seconds, and time for its answer.
const POLL: Duration = Duration::from_secs(25);

/// For queues that are sent to.
pub fn sending(environment: &SdkConfig) -> Client {
    Client::new(environment)
}

/// For queues that are read: a call may take as long as the longest poll.
pub fn polling(environment: &SdkConfig) -> Client {
    let timeouts = environment
        .timeout_config()
        .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder)
        .operation_attempt_timeout(POLL)
        .build();
    let config = aws_sdk_sqs::config::Builder::from(environment)
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}
