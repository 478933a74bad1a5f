//! The lane queue (events into a lane's scheduler) and the dispatch queue (released requests to workers).

use super::Pending;
use crate::ids::{CallNo, LaneId, RequestId};
use crate::scheduler::Event;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// A message could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No such lane.
    #[error("no lane is named {0}; GET /v1/lanes lists those that are")]
    UnknownLane(LaneId),
    /// Its reader is gone: the process is stopping.
    #[error("{0} is closed: the smoother is stopping; send again to the next one")]
    Closed(&'static str),
    /// The queue's service failed; sending again may work.
    #[error("{queue} failed: {cause}")]
    Failed {
        /// Which queue.
        queue: &'static str,
        /// What its service said.
        cause: String,
    },
}

/// Arrivals, completions and cancels, on their way into a lane's scheduler.
pub trait LaneQueue: Send + Sync {
    /// Sends an event. Events of one request arrive in the order they were sent on one machine; elsewhere they
    /// may be late, twice or out of order, and the scheduler stands it.
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>>;
}

/// A released request on its way to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Which request.
    pub request: RequestId,
    /// The number its call will have.
    pub call: CallNo,
    /// The lane that pays.
    pub lane: LaneId,
    /// A claim after this is refused.
    pub start_by: Timestamp,
}

/// Released requests, on their way to workers.
pub trait Dispatch: Send + Sync {
    /// Hands released requests over. Each may be delivered more than once; the claim fences.
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>>;
}
