//! A window that begins with each wall-clock minute.
//!
//! Our clock and the limiter's differ, and a call takes time to get there: near the turn of a minute nobody
//! here can say in which of the two it is counted. Such a charge counts in both, which is as safe as letting
//! nothing through and costs a caller no waiting.

use super::ledgers::Ask;
use crate::units::{Millis, Timestamp};

const MINUTE: u64 = 60_000;

/// Charges by minute; only the last, this and the next one are kept.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    quota: u64,
    boundary: Millis,
    /// What may have been counted in either minute counts in none.
    only_sure: bool,
    minutes: [(u64, u64); 3],
}

impl Fixed {
    pub(super) fn empty(quota: u64, boundary: Millis) -> Self {
        Self {
            quota,
            boundary,
            only_sure: false,
            minutes: [(0, 0); 3],
        }
    }

    /// One that counts what such a limiter has counted for certain.
    pub(super) fn at_least(quota: u64, boundary: Millis) -> Self {
        Self {
            only_sure: true,
            ..Self::empty(quota, boundary)
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
        i128::from(self.quota) - i128::from(self.counts(now))
    }

    /// What counts in them.
    fn counts(&self, now: Timestamp) -> u64 {
        let used = self.minutes_of(now).map(|minute| self.used(minute));
        let used = if self.only_sure {
            used.into_iter().min()
        } else {
            used.into_iter().max()
        };
        used.unwrap_or(0)
    }

    /// Whether it would be admitted at `at`. What is larger than others leave of the quota goes in a minute without
    /// any charge.
    pub(super) fn admits(&self, at: Timestamp, ask: Ask) -> bool {
        let ask = ask.at_most(self.quota);
        let kept = u128::from(ask.kept) * u128::from(left_of(at)) / u128::from(MINUTE);
        let kept = i128::try_from(kept).unwrap_or(i128::MAX);
        self.free(at) >= ask.of_window(self.counts(at)) + kept
    }

    /// When it will be admitted, if nothing else happens.
    pub(super) fn earliest(&self, now: Timestamp, ask: Ask) -> Timestamp {
        let ask = ask.at_most(self.quota);
        let [first, _] = self.minutes_of(now);
        let turn = |ahead: u64| {
            let minute = first.saturating_add(ahead);
            Timestamp::from_millis(minute.saturating_mul(MINUTE)) + self.boundary
        };
        [now, turn(1), turn(2)]
            .into_iter()
            .find_map(|from| self.admits_from(from, ask))
            .unwrap_or_else(|| turn(3))
    }

    /// The first moment from `from` on, and before the next turn, at which so little is kept back that it goes.
    fn admits_from(&self, from: Timestamp, ask: Ask) -> Option<Timestamp> {
        if self.admits(from, ask) {
            return Some(from);
        }
        if ask.kept == 0 {
            return None;
        }
        let spare = self.free(from) - ask.of_window(self.counts(from));
        let spare = u128::try_from(spare).ok()?;
        // kept × left ÷ minute, rounded down, is at most `spare` from here on.
        let left = ((spare + 1) * u128::from(MINUTE) - 1) / u128::from(ask.kept);
        let left = u64::try_from(left).unwrap_or(MINUTE).min(left_of(from));
        let at = from + Millis::new(left_of(from) - left);
        self.admits(at, ask).then_some(at)
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
        if late == early {
            self.change(early, &change);
        } else if !self.only_sure {
            self.change(early, &change);
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

/// Milliseconds to the next minute.
fn left_of(at: Timestamp) -> u64 {
    MINUTE - at.as_millis() % MINUTE
}
