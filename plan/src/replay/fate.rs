//! What became of a request, and of a call.

use smoother_core::{Timestamp, Tokens};

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// Not within the time that was played.
    #[default]
    Unfinished,
    /// With a whole answer, or one as long as its caller allowed.
    Completed,
    /// It could never be served: larger than the quota.
    Refused,
    /// Its deadline passed while it waited.
    Expired,
    /// Its deadline passed while its call ran.
    Overran,
    /// Its calls took longer than the lane allows, or were refused until its deadline was too near, or it is larger
    /// than the limiter's burst.
    Failed,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// How it ended.
    pub ending: Ending,
    /// The start of its first call that was admitted: its wait is over.
    pub started: Option<Timestamp>,
    /// When it had ended.
    pub ended: Option<Timestamp>,
    /// How often it was refused upstream.
    pub throttled: u32,
    /// Its answer is as long as was allowed, and would have been longer.
    pub cut: bool,
    /// It went with a smaller max_tokens than its caller's, at least at first.
    pub right_sized: bool,
    /// It was asked for once more because right-sizing had cut it.
    pub reran: bool,
}

/// A call that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRecord {
    /// Whose: the place in the workload.
    pub job: usize,
    /// When the limiter admitted it.
    pub start: Timestamp,
    /// When it was over there.
    pub end: Timestamp,
    /// What the lane reserved for it.
    pub reserved: Tokens,
    /// What it cost.
    pub cost: Tokens,
}
