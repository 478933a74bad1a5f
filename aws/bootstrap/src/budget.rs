//! How long an invocation may still take.

use smoother_core::{Millis, Timestamp};

/// Kept back for what follows a call: its end is stored and told.
const FOR_THE_END: Millis = Millis::from_secs(10);
/// Kept back for telling a caller who still waits to come back.
const FOR_THE_ANSWER: Millis = Millis::from_secs(15);

/// A call is not begun with less time than this: its release goes back by its start_by, and to somebody who has more.
/// Begun all the same it would be broken off, charged in full, with a try spent.
const LEAST: Millis = Millis::from_secs(15);

/// Whether a call that is begun now and must be over by `end_by` has time enough.
pub(crate) fn is_worth_a_call(end_by: Timestamp, now: Timestamp) -> bool {
    end_by.since(now) >= LEAST
}

/// The time that an invocation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    deadline: Timestamp,
}

impl Budget {
    /// Until the moment at which Lambda ends the invocation, in milliseconds since the epoch.
    pub(crate) const fn until(deadline_ms: u64) -> Self {
        Self {
            deadline: Timestamp::from_millis(deadline_ms),
        }
    }

    /// What is left of it.
    pub(crate) const fn left(self, now: Timestamp) -> Millis {
        self.deadline.since(now)
    }

    /// The moment by which a call must be over, so that its end can be stored.
    pub(crate) const fn calls_end(self) -> Timestamp {
        self.deadline.before(FOR_THE_END)
    }

    /// The moment by which whoever waits is answered.
    pub(crate) const fn answers_end(self) -> Timestamp {
        self.deadline.before(FOR_THE_ANSWER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_end_before_the_invocation_does_and_callers_hear_before_that() {
        let budget = Budget::until(60_000);
        let now = Timestamp::from_millis(45_000);
        assert_eq!(budget.left(now), Millis::from_secs(15));
        assert_eq!(budget.calls_end(), Timestamp::from_millis(50_000));
        assert_eq!(budget.answers_end(), Timestamp::from_millis(45_000));
        let forever = Budget::until(u64::MAX);
        assert!(is_worth_a_call(forever.calls_end(), now));
    }

    #[test]
    fn a_call_is_not_begun_with_too_little_time_for_it() {
        let end_by = Budget::until(60_000).calls_end();
        // 11 s before the end of the invocation it would have one second.
        for (now, worth) in [(35_000, true), (35_001, false), (49_000, false), (59_000, false)] {
            assert_eq!(
                is_worth_a_call(end_by, Timestamp::from_millis(now)),
                worth,
                "{now}"
            );
        }
    }
}
