//! A lane's lease, and what finding it means.

use super::times::{AWAKE_FOR, LEASE_FOR, SKEW};
use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a lease: every taking raises it by one. Nothing else is called epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// Before any taking.
    pub const NONE: Self = Self(0);

    /// From a stored number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next taking's.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lane's lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it: one name for one taking, never used again.
    pub owner: String,
    /// The number of this taking.
    pub epoch: Epoch,
    /// When it may be taken by others; the epoch of time once it was given back.
    pub expires: Timestamp,
    /// Until then its holder reads the lane's queue.
    pub awake_until: Timestamp,
}

impl Lease {
    /// The lease that `owner` has from `now` on if it takes what was found.
    pub fn taken(owner: &str, now: Timestamp, over: Option<&Self>) -> Self {
        Self {
            owner: owner.to_owned(),
            epoch: over.map_or(Epoch::NONE, |lease| lease.epoch).next(),
            expires: now + LEASE_FOR,
            awake_until: now + AWAKE_FOR,
        }
    }

    /// Renewed now. A promise is never taken back, whatever a clock says.
    #[must_use]
    pub fn renewed(&self, now: Timestamp, awake: bool) -> Self {
        let promise = if awake { now + AWAKE_FOR } else { Timestamp::EPOCH };
        Self {
            expires: now + LEASE_FOR,
            awake_until: self.awake_until.max(promise),
            ..self.clone()
        }
    }

    /// Given back: whoever comes next may take it at once.
    #[must_use]
    pub fn given_back(&self) -> Self {
        Self {
            expires: Timestamp::EPOCH,
            ..self.clone()
        }
    }

    /// Whether somebody reads the lane's queue for longer than clocks may differ.
    pub fn is_awake(&self, now: Timestamp) -> bool {
        self.awake_until > now + SKEW
    }
}

/// What is to be done about a lease that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is free, or was left behind: take it.
    Take,
    /// Its holder is awake. Having come for nothing is success.
    Awake,
    /// Its holder is leaving, or gone, or has another clock: look again soon. What was told to the lane in the
    /// meantime may be seen by nobody else.
    Watch,
}

/// What a lease means that stood unchanged for `unchanged` by the finder's own monotonic clock.
pub fn find(now: Timestamp, found: Option<&Lease>, unchanged: Millis) -> Finding {
    let Some(lease) = found else {
        return Finding::Take;
    };
    // No clock but the finder's own is needed for that: a holder would have renewed it.
    let left_behind = unchanged >= LEASE_FOR + SKEW;
    let expired = lease.expires + SKEW < now;
    if lease.expires == Timestamp::EPOCH || left_behind || expired {
        return Finding::Take;
    }
    // What promises longer than any holder does was written by a clock that is off.
    let believable = lease.awake_until <= now + AWAKE_FOR + SKEW;
    if believable && lease.is_awake(now) {
        Finding::Awake
    } else {
        Finding::Watch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[test]
    fn a_lease_is_taken_when_nobody_has_it_and_left_alone_while_its_holder_is_awake() {
        assert_eq!(find(at(0), None, Millis::ZERO), Finding::Take);
        let held = Lease::taken("a", at(0), None);
        assert_eq!(held.epoch, Epoch::new(1));
        assert_eq!(find(at(0), Some(&held), Millis::ZERO), Finding::Awake);
        assert_eq!(find(at(7_999), Some(&held), Millis::ZERO), Finding::Awake);
        assert_eq!(find(at(8_000), Some(&held), Millis::ZERO), Finding::Watch);
        assert_eq!(find(at(17_000), Some(&held), Millis::ZERO), Finding::Watch);
        assert_eq!(find(at(17_001), Some(&held), Millis::ZERO), Finding::Take);
        let back = held.given_back();
        assert_eq!(find(at(1), Some(&back), Millis::ZERO), Finding::Take);
        assert_eq!(Lease::taken("b", at(1), Some(&back)).epoch, Epoch::new(2));
    }

    #[test]
    fn a_lease_of_a_clock_that_is_off_is_taken_once_it_stood_still_long_enough() {
        let ahead = Lease::taken("a", at(300_000), None);
        assert_eq!(find(at(0), Some(&ahead), Millis::ZERO), Finding::Watch);
        assert_eq!(
            find(at(16_999), Some(&ahead), Millis::new(16_999)),
            Finding::Watch
        );
        assert_eq!(find(at(17_000), Some(&ahead), Millis::new(17_000)), Finding::Take);
    }

    #[test]
    fn a_promise_is_never_taken_back() {
        let held = Lease::taken("a", at(0), None);
        assert_eq!(held.renewed(at(5_000), true).awake_until, at(15_000));
        assert_eq!(held.renewed(at(5_000), false).awake_until, at(10_000));
        assert_eq!(
            held.renewed(at(0).before(Millis::from_secs(60)), true)
                .awake_until,
            at(10_000)
        );
        assert_eq!(held.given_back().awake_until, at(10_000));
    }
}
