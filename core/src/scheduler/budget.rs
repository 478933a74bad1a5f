//! How many of a lane's calls may be retries.
//!
//! Retries after transient errors add load where an upstream is in trouble already. Each first call earns a fifth
//! of what, with itself, a retry costs, so that retries stay within a fifth of all calls; a small store of them and
//! a trickle let a lane with little traffic go on. A retry that there is no budget for waits; it is not given up.
//! After "Handling Overload" in B. Beyer et al., "Site Reliability Engineering" (O'Reilly 2016), ch. 21, where it
//! is 10 % a client; tower's retry budget keeps the same account.

use crate::units::{Millis, Timestamp};

/// Retries per hundred calls.
const SHARE: u64 = 20;
/// What a retry costs, where a first call earns [`SHARE`].
const COST: u64 = 100 - SHARE;
/// Retries that may be saved up, and that there are at the start.
const MOST: u64 = 10 * COST;
/// One retry comes this often whatever else happens.
const TRICKLE: Millis = Millis::from_secs(10);

/// The account of one lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryBudget {
    saved: u64,
    trickled: Timestamp,
}

impl RetryBudget {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            saved: MOST,
            trickled: now,
        }
    }

    /// A call that is no retry goes.
    pub(super) fn earn(&mut self) {
        self.saved = (self.saved + SHARE).min(MOST);
    }

    /// Whether a retry may go now.
    pub(super) fn allows(&self, now: Timestamp) -> bool {
        self.saved >= COST || now.since(self.trickled) >= TRICKLE
    }

    /// A retry goes.
    pub(super) fn spend(&mut self, now: Timestamp) {
        if self.saved >= COST {
            self.saved -= COST;
        } else {
            self.trickled = now;
        }
    }

    /// Retries that could go at once.
    pub(super) fn left(&self) -> u64 {
        self.saved / COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    proptest! {
        /// However calls and failures fall, no more than a fifth of all calls are retries, but for the ten at the
        /// start and one every ten seconds.
        #[test]
        fn retries_stay_within_their_share(
            steps in prop::collection::vec((0u64..200, any::<bool>()), 1..2_000),
        ) {
            let mut budget = RetryBudget::new(at(0));
            let (mut now, mut calls, mut retries) = (0u64, 0u64, 0u64);
            for (wait, wants_retry) in steps {
                now += wait;
                if !wants_retry {
                    budget.earn();
                    calls += 1;
                } else if budget.allows(at(now)) {
                    budget.spend(at(now));
                    calls += 1;
                    retries += 1;
                }
                let free = 10 + now / TRICKLE.get();
                prop_assert!(retries.saturating_sub(free) * 100 <= calls * SHARE, "{retries} of {calls}");
            }
        }
    }

    #[test]
    fn a_lane_in_which_everything_fails_still_tries_now_and_then() {
        let mut budget = RetryBudget::new(at(0));
        while budget.left() > 0 {
            budget.spend(at(1));
        }
        assert!(!budget.allows(at(9_999)));
        assert!(budget.allows(at(10_000)));
        budget.spend(at(10_000));
        assert!(!budget.allows(at(19_999)));
    }
}
