//! What outlives the process.

use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// A position that somebody holds the breaker in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// No call goes until it is closed by hand.
    Open,
    /// Calls go whatever they meet.
    Closed,
}

/// A breaker as it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerMemory {
    /// It was open (or half-open) until then.
    pub open_until: Option<Timestamp>,
    /// Openings in a row.
    pub row: u32,
    /// Held by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<Hand>,
}
