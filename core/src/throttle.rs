//! Why Bedrock refused a call for its quota or capacity.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which limit an upstream refusal named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleCause {
    /// "Too many tokens, please wait before trying again."
    Tokens,
    /// "Too many requests, please wait before trying again."
    Requests,
    /// "Too many tokens per day…": parks the lane.
    Day,
    /// 503 "Too many connections…": the service's capacity, not the account's quota.
    Capacity,
}

impl ThrottleCause {
    /// Every cause, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::Requests, Self::Day, Self::Capacity];

    /// The word used in JSON, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::Day => "day",
            Self::Capacity => "capacity",
        }
    }
}

impl fmt::Display for ThrottleCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
