//! How many of a lane's calls may be retries.
//!
//! Retries after transient errors add load where an upstream is in trouble already. Each first call earns a fifth
//! of what, with itself, a retry costs, so that retries stay within a fifth of all calls; a small store of them and
//! a trickle let a lane with little traffic go on. A retry that there is no budget for goes on in another lane, or
//! waits; it is not given up. Where the last calls all succeeded nothing is in trouble any more: each success then
//! lets two retries go, so that what an outage left behind is made up for at once, however few first calls come.
//!
//! After "Handling Overload" in B. Beyer et al., "Site Reliability Engineering" (O'Reilly 2016), ch. 21, where it
//! is 10 % a client; tower's retry budget keeps the same account.

use crate::breaker::CallHealth;
use crate::units::{Millis, Timestamp};

/// Retries per hundred calls.
const SHARE: u64 = 20;
/// What a retry costs, where a first call earns [`SHARE`].
const COST: u64 = 100 - SHARE;
/// Retries that may be saved up, and that there are at the start.
const MOST: u64 = 10 * COST;
/// One retry comes this often whatever else happens.
const TRICKLE: Millis = Millis::from_secs(1);
/// After so many successes in a row the upstream is well. Where a quarter of the calls fail, one in 300 gets so far.
const WELL: u32 = 20;
/// Retries that a success brings then.
const BROUGHT: u64 = 2;

/// The account of one lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryBudget {
    saved: u64,
    trickled: Timestamp,
    /// Successes since the last failure.
    streak: u32,
}

impl RetryBudget {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            saved: MOST,
            trickled: now,
            streak: 0,
        }
    }

    /// A call is over.
    pub(super) fn heard(&mut self, health: CallHealth) {
        match health {
            CallHealth::Fine if self.streak >= WELL => {
                self.saved = (self.saved + BROUGHT * COST).min(MOST);
            }
            CallHealth::Fine => self.streak += 1,
            CallHealth::Failed => self.streak = 0,
            CallHealth::Slow | CallHealth::Unknown => {}
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
        /// However calls fall, no more than a fifth of all are retries, but for the ten at the start, one a second,
        /// and two for each success after twenty in a row.
        #[test]
        fn retries_stay_within_their_share(
            steps in prop::collection::vec((0u64..200, any::<bool>(), 0u32..100), 1..2_000),
            failing in 0u32..100,
        ) {
            let mut budget = RetryBudget::new(at(0));
            let (mut now, mut calls, mut retries, mut row, mut brought) = (0u64, 0u64, 0u64, 0u32, 0u64);
            for (wait, wants_retry, lot) in steps {
                now += wait;
                if wants_retry && !budget.allows(at(now)) {
                    continue;
                }
                if wants_retry {
                    budget.spend(at(now));
                    retries += 1;
                } else {
                    budget.earn();
                }
                calls += 1;
                let failed = lot < failing;
                budget.heard(if failed { CallHealth::Failed } else { CallHealth::Fine });
                brought += if !failed && row >= WELL { BROUGHT } else { 0 };
                row = if failed { 0 } else { row + 1 };
                let free = 10 + now / TRICKLE.get() + brought;
                prop_assert!(retries.saturating_sub(free) * 100 <= calls * SHARE, "{retries} of {calls}");
            }
        }
    }

    #[test]
    fn once_the_upstream_is_well_what_was_left_is_made_up_for() {
        let mut budget = RetryBudget::new(at(0));
        let mut spent = 0;
        while budget.left() > 0 {
            budget.spend(at(1));
            spent += 1;
        }
        assert_eq!(spent, 10);
        for _ in 0..WELL {
            budget.heard(CallHealth::Fine);
            assert_eq!(budget.left(), 0);
        }
        budget.heard(CallHealth::Fine);
        assert_eq!(budget.left(), 2);
        budget.heard(CallHealth::Failed);
        budget.heard(CallHealth::Fine);
        assert_eq!(budget.left(), 2, "one failure, and it begins anew");
    }

    #[test]
    fn a_lane_in_which_everything_fails_still_tries_now_and_then() {
        let mut budget = RetryBudget::new(at(0));
        while budget.left() > 0 {
            budget.spend(at(1));
        }
        assert!(!budget.allows(at(999)));
        assert!(budget.allows(at(1_000)));
        budget.spend(at(1_000));
        assert!(!budget.allows(at(1_999)));
    }
}
