//! What can never be admitted, whatever else happens.

use crate::config::LaneConfig;
use crate::units::{Tokens, TokensPerDay, TokensPerMinute};

/// A request is larger than a whole quota: no wait would let it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NeverFits {
    /// Above `tokens_per_minute`.
    #[error(
        "it needs {needs}, and the lane's tokens_per_minute is {}: ask for fewer output tokens or a shorter input",
        limit.get()
    )]
    Minute {
        /// Tokens to reserve.
        needs: Tokens,
        /// The quota.
        limit: TokensPerMinute,
    },
    /// Above `tokens_per_day`.
    #[error(
        "it needs {needs}, and the lane's tokens_per_day is {}: ask for fewer output tokens or a shorter input",
        limit.get()
    )]
    Day {
        /// Tokens to reserve.
        needs: Tokens,
        /// The quota.
        limit: TokensPerDay,
    },
}

impl NeverFits {
    /// The configuration key of the limit.
    pub const fn limit(&self) -> &'static str {
        match self {
            Self::Minute { .. } => "tokens_per_minute",
            Self::Day { .. } => "tokens_per_day",
        }
    }
}

/// Whether a request that reserves this much can ever be admitted; judged against the quota itself, not
/// against what is left of it.
pub fn fits(lane: &LaneConfig, reserve: Tokens) -> Result<(), NeverFits> {
    if reserve.get() > lane.tokens_per_minute.get() {
        return Err(NeverFits::Minute {
            needs: reserve,
            limit: lane.tokens_per_minute,
        });
    }
    match lane.tokens_per_day {
        Some(limit) if reserve.get() > limit.get() => Err(NeverFits::Day {
            needs: reserve,
            limit,
        }),
        _ => Ok(()),
    }
}
