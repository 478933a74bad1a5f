//! A token bucket: refilled at the quota's rate, never above its capacity, below zero after a debt.

use crate::units::{Millis, Timestamp};

/// Parts of one token: a quota of `n` a minute refills `n` parts in a millisecond, so no division is needed.
const PARTS: i128 = 60_000;

/// One bucket. Amounts are whole tokens (or requests); the level is kept in 60,000ths.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: i128,
    capacity: i128,
    level: i128,
    at: Timestamp,
}

impl Bucket {
    /// A full bucket that holds `span` of `quota` a minute, and at least one token.
    pub(super) fn full(quota: u64, span: Millis, now: Timestamp) -> Self {
        let rate = i128::from(quota);
        let capacity = (rate * i128::from(span.get())).max(PARTS);
        Self {
            rate,
            capacity,
            level: capacity,
            at: now,
        }
    }

    /// Starts anew, empty, at a moment that may lie in the past.
    pub(super) fn empty_at(&mut self, at: Timestamp) {
        self.level = 0;
        self.at = at;
    }

    /// Another rate from now on; what it can hold stays.
    pub(super) fn set_rate(&mut self, now: Timestamp, quota: u64) {
        self.advance(now);
        self.rate = i128::from(quota);
    }

    /// The same level under another quota.
    pub(super) fn resized(&self, mut to: Self) -> Self {
        to.level = self.level_at(to.at).min(to.capacity);
        to
    }

    /// What is in it, in its own parts, for keeping.
    pub(super) fn parts(&self, now: Timestamp) -> i64 {
        let level = self.level_at(now);
        // No quota comes near either end.
        i64::try_from(level.min(i128::from(i64::MAX))).unwrap_or(i64::MIN)
    }

    /// Has in it now what was kept, as far as it holds that.
    pub(super) fn set_parts(&mut self, now: Timestamp, parts: i64) {
        self.level = i128::from(parts).min(self.capacity);
        self.at = now;
    }

    /// Whole tokens it can hold.
    pub(super) fn capacity(&self) -> u64 {
        u64::try_from(self.capacity / PARTS).unwrap_or(u64::MAX)
    }

    /// Whole tokens in it; negative in debt.
    pub(super) fn free(&self, now: Timestamp) -> i128 {
        self.level_at(now).div_euclid(PARTS)
    }

    /// Whether `amount` would be admitted at `at`, were `taken` taken out now.
    ///
    /// An amount above the capacity is admitted when the bucket is full, and leaves it in debt.
    pub(super) fn admits(&self, now: Timestamp, at: Timestamp, amount: u64, taken: u64) -> bool {
        let waited = i128::from(at.since(now).get());
        let level = self.level_at(now) - parts(taken) + waited * self.rate;
        level.min(self.capacity) >= self.needed(amount)
    }

    /// When `amount` will be admitted, were `taken` taken out now and nothing else happened.
    pub(super) fn earliest(&self, now: Timestamp, amount: u64, taken: u64) -> Timestamp {
        let missing = self.needed(amount) - self.level_at(now) + parts(taken);
        if missing <= 0 {
            return now;
        }
        if self.rate == 0 {
            return Timestamp::NEVER;
        }
        let wait = (missing + self.rate - 1) / self.rate;
        now + Millis::new(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    pub(super) fn take(&mut self, now: Timestamp, amount: u64) {
        self.advance(now);
        self.level -= parts(amount);
    }

    pub(super) fn give(&mut self, now: Timestamp, amount: u64) {
        self.advance(now);
        self.level = (self.level + parts(amount)).min(self.capacity);
    }

    /// Leaves no more than `most` whole tokens, which may be negative.
    pub(super) fn lower(&mut self, now: Timestamp, most: i128) {
        self.advance(now);
        self.level = self.level.min(most.saturating_mul(PARTS));
    }

    fn needed(&self, amount: u64) -> i128 {
        parts(amount).min(self.capacity)
    }

    fn level_at(&self, now: Timestamp) -> i128 {
        let passed = i128::from(now.since(self.at).get());
        (self.level + passed * self.rate).min(self.capacity)
    }

    fn advance(&mut self, now: Timestamp) {
        self.level = self.level_at(now);
        self.at = self.at.max(now);
    }
}

fn parts(amount: u64) -> i128 {
    i128::from(amount) * PARTS
}
