//! How long an invocation may still take.

use smoother_core::{Millis, Timestamp};
use std::time::Duration;

/// Kept back for what follows a call: its end is stored and told.
const FOR_THE_END: Millis = Millis::from_secs(10);

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

    /// What is left before that.
    pub(crate) fn for_calls(self, now: Timestamp) -> Duration {
        self.calls_end().since(now).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_end_before_the_invocation_does() {
        let budget = Budget::until(60_000);
        let now = Timestamp::from_millis(45_000);
        assert_eq!(budget.left(now), Millis::from_secs(15));
        assert_eq!(budget.for_calls(now), Duration::from_secs(5));
        assert_eq!(budget.for_calls(Timestamp::from_millis(59_000)), Duration::ZERO);
    }
}
