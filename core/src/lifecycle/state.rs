//! Where a request stands.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The states of the lifecycle, by their public words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Stored, not yet in its lane's queue.
    Received,
    /// Waiting in its lane.
    Queued,
    /// Let go by the prioritizer; a worker has until `start_by` to claim it.
    Released,
    /// Claimed: its call is, or may be, under way.
    Running,
    /// An answer is stored.
    Completed,
    /// There will be no answer.
    Failed,
    /// Somebody called it off.
    Cancelled,
    /// Its deadline passed.
    Expired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Queued,
        Self::Released,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether nothing can come after it.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired
        )
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RECEIVED",
            Self::Queued => "QUEUED",
            Self::Released => "RELEASED",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The word callers read: RELEASED and RUNNING are one to them.
    pub const fn public(self) -> &'static str {
        match self {
            Self::Released | Self::Running => "PROCESSING",
            other => other.as_str(),
        }
    }

    /// The state with that stored word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
