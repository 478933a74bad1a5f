//! How fast a worker opens calls.
//!
//! After a pause the lane's ledger may let many calls go in one moment, while the connections they need are
//! gone: each would open its own, all at once, with a TLS handshake apiece. A leaky bucket spreads the openings
//! over some milliseconds; a call for which a connection stands goes at once. It never decides whether a call goes,
//! only its moment, and it is asked before the claim, so the charge is dated to the real start.

use leaky_bucket::RateLimiter;
use smoother_core::{Millis, Timestamp};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A connection that no call has used for this long is taken to be gone: shorter than connections are kept.
const KEPT: Millis = Millis::from_secs(20);

/// The pace of openings on one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningPace {
    /// Connections that may open in one moment after a pause.
    pub burst: usize,
    /// Connections that may open in each further millisecond.
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

/// The bucket behind the pace, and the connections that need none of it.
#[derive(Debug)]
pub(crate) struct Opening {
    bucket: RateLimiter,
    standing: Mutex<Standing>,
}

/// How a call comes to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// One stands for it.
    Standing,
    /// It opens one.
    Opening,
}

/// When the connections that no call uses were last used, oldest first. The one used last is used next.
#[derive(Debug, Default)]
struct Standing(VecDeque<Timestamp>);

impl Opening {
    pub(crate) fn new(pace: OpeningPace) -> Self {
        let burst = pace.burst.max(1);
        let bucket = RateLimiter::builder()
            .max(burst)
            .initial(burst)
            .refill(pace.per_ms.max(1))
            .interval(Duration::from_millis(1))
            .build();
        Self {
            bucket,
            standing: Mutex::default(),
        }
    }

    /// Waits for this call's turn to open a connection, or goes at once if one stands for it; turns come in the
    /// order in which they were asked for.
    pub(crate) async fn turn(&self, now: Timestamp) -> Turn {
        if self.standing(|standing| standing.take(now)) {
            return Turn::Standing;
        }
        self.bucket.acquire_one().await;
        Turn::Opening
    }

    /// There was no call after all: a connection that stands goes on standing.
    pub(crate) fn unused(&self, turn: Turn, now: Timestamp) {
        if turn == Turn::Standing {
            self.left(now);
        }
    }

    /// A call has ended, and left its connection for the next.
    pub(crate) fn left(&self, now: Timestamp) {
        self.standing(|standing| standing.put(now));
    }

    fn standing<T>(&self, act: impl FnOnce(&mut Standing) -> T) -> T {
        act(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Standing {
    fn take(&mut self, now: Timestamp) -> bool {
        self.forget_before(now);
        self.0.pop_back().is_some()
    }

    fn put(&mut self, now: Timestamp) {
        self.forget_before(now);
        self.0.push_back(now);
    }

    fn forget_before(&mut self, now: Timestamp) {
        while self.0.front().is_some_and(|used| now.since(*used) >= KEPT) {
            self.0.pop_front();
        }
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
                opening.turn(Timestamp::EPOCH).await;
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

    #[tokio::test(start_paused = true)]
    #[allow(clippy::disallowed_methods, reason = "virtual time is what the test measures")]
    async fn a_call_with_a_connection_does_not_wait_until_that_is_gone() {
        let opening = Opening::new(OpeningPace { burst: 1, per_ms: 1 });
        let at = |ms: u64| Timestamp::from_millis(100_000 + ms);
        assert_eq!(opening.turn(at(0)).await, Turn::Opening);
        opening.left(at(0));
        opening.left(at(10_000));
        assert_eq!(
            opening.turn(at(10_001)).await,
            Turn::Standing,
            "the one used last"
        );
        opening.left(at(10_002));
        assert_eq!(
            opening.turn(at(20_001)).await,
            Turn::Standing,
            "the one used last"
        );
        assert_eq!(
            opening.turn(at(20_001)).await,
            Turn::Opening,
            "the first is 20 s old"
        );
        opening.unused(Turn::Opening, at(20_001));
        assert_eq!(opening.turn(at(20_001)).await, Turn::Opening);
        opening.unused(Turn::Standing, at(20_001));
        let before = Instant::now();
        assert_eq!(opening.turn(at(20_001)).await, Turn::Standing);
        assert_eq!(before.elapsed(), Duration::ZERO, "it does not wait");
    }
}
