//! How far the ledgers stay below what the limiters upstream are believed to be.

use crate::units::Millis;

/// Safety margins of the ledgers.
///
/// Bedrock does not publish its limiter. The values come from this project's simulations of four kinds of
/// limiter under bursts of three times the quota, unbroken backlogs, a clock skew of 0.3 s and round trips of
/// 60 ms: with them no more than 0.04 % of calls were refused by any of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margins {
    /// Capacity of the short bucket: 2 % below the 10 s that is assumed upstream.
    pub short_bucket: Millis,
    /// Capacity of the long bucket: 1.7 % below 60 s.
    pub long_bucket: Millis,
    /// How far from a wall-clock minute's turn a charge may fall into either minute upstream.
    pub boundary: Millis,
    /// How much longer than upstream a charge stays in the sliding window, besides two round trips.
    pub window_guard: Millis,
    /// One round trip to the endpoint.
    pub round_trip: Millis,
}

impl Margins {
    /// How long a charge counts in the sliding window.
    pub fn window(&self) -> Millis {
        Millis::from_secs(60) + self.window_guard + self.round_trip + self.round_trip
    }

    /// How long such a charge counts upstream at the least, as far as can be told from here.
    pub(super) fn least_window(&self) -> Millis {
        // It may have been charged a round trip later than was thought, and be rounded up to its cell.
        Millis::from_secs(60) - self.round_trip - self.round_trip - Millis::new(100)
    }
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            short_bucket: Millis::new(9_800),
            long_bucket: Millis::new(59_000),
            boundary: Millis::new(500),
            window_guard: Millis::new(100),
            round_trip: Millis::new(60),
        }
    }
}
