//! A workload through the real scheduler, in virtual time.
//!
//! What happens is a list of moments: arrivals, the steps of each call, and when the scheduler wants to be woken. The
//! next moment is taken, told to the scheduler, and its commands become further moments. Of moments at one time those
//! of calls come first, then arrivals, then the waking.
//!
//! ```text
//! arrival ─▶ Arrived       Release ─▶ Started, on its way ─▶ limiter ─┬─ admitted ─▶ over: settled ─▶ Ended
//! waking  ─▶ Tick                        (half a round trip)          └─ refused  ─▶ Ended, and by core's verdict
//! ```
//!
//! What the smoother learns (how long answers are, and how small a max_tokens would do) is learned here the same way and by
//! the same code, from the answers alone.

mod call;
mod fate;
mod setup;
mod sized;
mod world;

pub use fate::{CallRecord, Ending, Fate};
pub use setup::{RightSized, Setup};

use crate::workload::Workload;
use smoother_core::Timestamp;
use world::World;

/// What became of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Of each job, in the workload's order.
    pub fates: Vec<Fate>,
    /// Calls that were admitted, in the order of their ends.
    pub calls: Vec<CallRecord>,
    /// Calls that the limiter refused for tokens.
    pub throttled_tokens: u64,
    /// Calls that it refused for requests.
    pub throttled_requests: u64,
    /// How often the lane's circuit breaker opened, because calls were too slow.
    pub breaker_opened: u64,
    /// When nothing was left to happen.
    pub ended: Timestamp,
}

/// Plays the workload to its end, or for a day beyond its last arrival.
pub fn replay(workload: &Workload, setup: &Setup) -> Replay {
    World::new(workload, setup).run()
}

#[cfg(test)]
mod tests;
