//! How fast a worker opens calls.
//!
//! After a pause the lane's ledger may let many calls go in one moment, while the connections they need are
//! gone: each would open its own, all at once, with a TLS handshake apiece. A leaky bucket spreads the openings
//! over some milliseconds. It never decides whether a call goes, only its moment, and it is asked before the
//! claim, so the charge is dated to the real start.

use leaky_bucket::RateLimiter;
use std::time::Duration;

/// The pace of openings on one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningPace {
    /// Calls that may open in one moment after a pause.
    pub burst: usize,
    /// Calls that may open in each further millisecond.
    pub per_ms: usize,
}

impl Default for OpeningPace {
    /// 32 at once, then 10,000 a second: far above any quota, far below a stampede.
    fn default() -> Self {
        Self {
            burst: 32,
            per_ms: 10,
        }
    }
}

/// The bucket behind the pace.
#[derive(Debug)]
pub(crate) struct Opening(RateLimiter);

impl Opening {
    pub(crate) fn new(pace: OpeningPace) -> Self {
        let burst = pace.burst.max(1);
        Self(
            RateLimiter::builder()
                .max(burst)
                .initial(burst)
                .refill(pace.per_ms.max(1))
                .interval(Duration::from_millis(1))
                .build(),
        )
    }

    /// Waits for this call's turn; turns come in the order in which they were asked for.
    pub(crate) async fn turn(&self) {
        self.0.acquire_one().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_stampede_after_a_pause_is_spread_out() {
        let opening = Arc::new(Opening::new(OpeningPace { burst: 8, per_ms: 2 }));
        tokio::time::sleep(Duration::from_secs(60)).await;
        #[allow(clippy::disallowed_methods, reason = "virtual time is what the test measures")]
        let began = Instant::now();
        let mut turns = tokio::task::JoinSet::new();
        for _ in 0..48 {
            let opening = Arc::clone(&opening);
            turns.spawn(async move {
                opening.turn().await;
                began.elapsed()
            });
        }
        let mut at: Vec<Duration> = turns.join_all().await;
        at.sort();
        let at_once = at.iter().filter(|t| **t < Duration::from_millis(1)).count();
        assert!(at_once <= 8 + 2, "{at_once} calls opened in one moment");
        let last = at[at.len() - 1];
        assert!(
            last >= Duration::from_millis(19),
            "48 calls were open after {last:?}"
        );
        assert!(
            last <= Duration::from_millis(40),
            "48 calls took {last:?} to open"
        );
    }
}
