//! A window that begins with each wall-clock minute.
//!
//! Our clock and the limiter's differ, and a call takes time to get there: near the turn of a minute nobody
//! here can say in which of the two it is counted. Such a charge counts in both, which is as safe as letting
//! nothing through and costs a caller no waiting.

use crate::units::{Millis, Timestamp};

const MINUTE: u64 = 60_000;

/// Charges by minute; only the last, this and the next one are kept.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    quota: u64,
    boundary: Millis,
    minutes: [(u64, u64); 3],
}

impl Fixed {
    pub(super) fn empty(quota: u64, boundary: Millis) -> Self {
        Self {
            quota,
            boundary,
            minutes: [(0, 0); 3],
        }
    }

    pub(super) fn set_quota(&mut self, quota: u64) {
        self.quota = quota;
    }

    /// The minutes that are known, for keeping.
    pub(super) fn minutes(&self) -> [(u64, u64); 3] {
        self.minutes
    }

    /// Takes up what was kept. A minute that has not come yet was written by a clock that is off; left standing it
    /// would keep its place from the minute that is.
    pub(super) fn set_minutes(&mut self, now: Timestamp, minutes: [(u64, u64); 3]) {
        let [_, latest] = self.minutes_of(now);
        self.minutes = minutes.map(|kept| if kept.0 <= latest { kept } else { (0, 0) });
    }

    /// Tokens left in the minutes in which a charge made now may be counted; negative in debt.
    pub(super) fn free(&self, now: Timestamp) -> i128 {
        let used = self.minutes_of(now).map(|minute| self.used(minute));
        i128::from(self.quota) - i128::from(used.into_iter().max().unwrap_or(0))
    }

    /// Whether `amount` would be admitted at `at`, were `taken` charged before.
    pub(super) fn admits(&self, at: Timestamp, amount: u64, taken: u64) -> bool {
        self.free(at) >= i128::from(taken) + i128::from(amount)
    }

    /// When `amount` will be admitted, if nothing else happens.
    pub(super) fn earliest(&self, now: Timestamp, amount: u64, taken: u64) -> Timestamp {
        let [first, _] = self.minutes_of(now);
        let turn = |ahead: u64| {
            let minute = first.saturating_add(ahead);
            Timestamp::from_millis(minute.saturating_mul(MINUTE)) + self.boundary
        };
        [now, turn(1), turn(2)]
            .into_iter()
            .find(|&at| self.admits(at, amount, taken))
            .unwrap_or_else(|| turn(3))
    }

    pub(super) fn charge(&mut self, at: Timestamp, amount: u64) {
        self.for_each(at, |used| *used = used.saturating_add(amount));
    }

    pub(super) fn credit(&mut self, at: Timestamp, amount: u64) {
        self.for_each(at, |used| *used = used.saturating_sub(amount));
    }

    fn minutes_of(&self, at: Timestamp) -> [u64; 2] {
        let early = at.before(self.boundary).as_millis() / MINUTE;
        let late = (at + self.boundary).as_millis() / MINUTE;
        [early, late]
    }

    fn used(&self, minute: u64) -> u64 {
        let slot = self.minutes.iter().find(|(kept, _)| *kept == minute);
        slot.map_or(0, |(_, used)| *used)
    }

    fn for_each(&mut self, at: Timestamp, change: impl Fn(&mut u64)) {
        let [early, late] = self.minutes_of(at);
        self.change(early, &change);
        if late != early {
            self.change(late, &change);
        }
    }

    fn change(&mut self, minute: u64, change: impl Fn(&mut u64)) {
        // A minute's place is its number modulo three: it takes the place of one that is three minutes old.
        let place = usize::try_from(minute % 3).unwrap_or(0);
        let slot = &mut self.minutes[place];
        if slot.0 < minute {
            *slot = (minute, 0);
        }
        if slot.0 == minute {
            change(&mut slot.1);
        }
    }
}
