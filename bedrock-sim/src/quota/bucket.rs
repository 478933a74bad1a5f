//! A token bucket in integers.

use crate::clock::Micros;

/// A level is kept in units of 1 / 60,000,000 of an amount, so that one microsecond at a limit of
/// Q per minute refills exactly Q units: no rounding, however often it is read.
const UNITS: i128 = Micros::MINUTE.0 as i128;

/// Refills evenly with its limit per minute and holds what refills in `capacity` of time.
#[derive(Debug)]
pub struct Bucket {
    per_minute: u64,
    full: i128,
    level: i128,
    refilled: Micros,
}

impl Bucket {
    pub(super) fn new(now: Micros, per_minute: u64, capacity: Micros) -> Self {
        let full = i128::from(per_minute) * i128::from(capacity.0);
        Self {
            per_minute,
            full,
            level: full,
            refilled: now,
        }
    }

    pub(super) fn per_minute(&self) -> u64 {
        self.per_minute
    }

    pub(super) fn capacity(&self) -> u64 {
        u64::try_from(self.full / UNITS).unwrap_or(u64::MAX)
    }

    fn refill(&mut self, now: Micros) {
        let gained = i128::from(self.per_minute) * i128::from(now.since(self.refilled).0);
        self.level = (self.level + gained).min(self.full);
        self.refilled = self.refilled.max(now);
    }

    pub(super) fn free(&mut self, now: Micros) -> i128 {
        self.refill(now);
        self.level.div_euclid(UNITS)
    }

    pub(super) fn charge(&mut self, now: Micros, amount: u64) {
        self.refill(now);
        self.level -= i128::from(amount) * UNITS;
    }

    /// What overflows the bucket is lost, as the time in which it was missing is.
    pub(super) fn credit(&mut self, now: Micros, amount: u64) {
        self.refill(now);
        self.level = (self.level + i128::from(amount) * UNITS).min(self.full);
    }

    /// Keeps what is missing from the old bucket missing here, unless its capacity in time changed.
    pub(super) fn inherit(&mut self, now: Micros, mut old: Self) {
        let same_span = old.full * i128::from(self.per_minute) == self.full * i128::from(old.per_minute);
        if same_span {
            old.refill(now);
            self.level = self.full - (old.full - old.level);
        }
    }
}
