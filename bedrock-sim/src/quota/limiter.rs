//! One limit, under the limiter that the settings name.

use super::bucket::Bucket;
use super::fixed::FixedWindow;
use super::sliding::SlidingWindow;
use crate::clock::Micros;
use crate::settings::{LimiterKind, Oversize, QuotaSettings};

/// Where a charge was booked, so that a surplus can return there.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    at: Micros,
}

/// Counts one amount (tokens or requests) against one limit.
#[derive(Debug)]
pub enum Limiter {
    /// A token bucket that starts full.
    Bucket(Bucket),
    /// Windows that begin at fixed moments.
    Fixed(FixedWindow),
    /// Everything charged within the last minute.
    Sliding(SlidingWindow),
}

impl Limiter {
    /// A limit per minute.
    pub fn per_minute(now: Micros, limit: u64, settings: &QuotaSettings) -> Self {
        match settings.limiter {
            LimiterKind::Bucket => {
                let capacity = Micros::from_millis_f64(settings.bucket_seconds * 1_000.0);
                Self::Bucket(Bucket::new(now, limit, capacity))
            }
            LimiterKind::Fixed => {
                let phase = Micros::from_millis(settings.window_phase_ms);
                Self::Fixed(FixedWindow::new(limit, Micros::MINUTE, phase))
            }
            LimiterKind::Sliding => Self::Sliding(SlidingWindow::new(limit, Micros::MINUTE)),
        }
    }

    /// A limit per day, always counted in fixed days.
    pub fn per_day(_now: Micros, limit: u64, settings: &QuotaSettings) -> Self {
        let phase = Micros::from_millis(settings.day_phase_ms);
        Self::Fixed(FixedWindow::new(limit, Micros::DAY, phase))
    }

    /// Whether `amount` fits now. Under [`Oversize::WhenFull`] an amount larger than the limit could
    /// ever hold fits when nothing else is charged.
    pub fn would_admit(&mut self, now: Micros, amount: u64, oversize: Oversize) -> bool {
        if self.free(now) >= i128::from(amount) {
            return true;
        }
        oversize == Oversize::WhenFull && amount > self.capacity() && self.is_untouched(now)
    }

    /// What may be charged now; negative while in debt.
    pub fn free(&mut self, now: Micros) -> i128 {
        match self {
            Self::Bucket(bucket) => bucket.free(now),
            Self::Fixed(window) => window.free(now),
            Self::Sliding(window) => window.free(now),
        }
    }

    /// The limit itself: what is granted in one minute (or day).
    pub fn limit(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.per_minute(),
            Self::Fixed(window) => window.limit(),
            Self::Sliding(window) => window.limit(),
        }
    }

    /// The largest amount that can ever be free.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.capacity(),
            Self::Fixed(window) => window.limit(),
            Self::Sliding(window) => window.limit(),
        }
    }

    fn is_untouched(&mut self, now: Micros) -> bool {
        self.free(now) >= i128::from(self.capacity())
    }

    /// Charges `amount` now, whether or not it fits.
    pub fn charge(&mut self, now: Micros, amount: u64) -> Receipt {
        match self {
            Self::Bucket(bucket) => bucket.charge(now, amount),
            Self::Fixed(window) => window.charge(now, amount),
            Self::Sliding(window) => window.charge(now, amount),
        }
        Receipt { at: now }
    }

    /// Corrects a charge of `from` to `to`.
    pub fn correct(&mut self, now: Micros, receipt: &Receipt, from: u64, to: u64) {
        if to > from {
            self.charge(now, to - from);
            return;
        }
        let surplus = from - to;
        match self {
            Self::Bucket(bucket) => bucket.credit(now, surplus),
            Self::Fixed(window) => window.credit(now, receipt.at, surplus),
            Self::Sliding(window) => window.credit(now, receipt.at, surplus),
        }
    }

    /// Takes over what `old` has counted, if it counts in the same way.
    pub(super) fn inherit(&mut self, now: Micros, old: Self) {
        match (self, old) {
            (Self::Bucket(new), Self::Bucket(old)) => new.inherit(now, old),
            (Self::Fixed(new), Self::Fixed(old)) => new.inherit(now, &old),
            (Self::Sliding(new), Self::Sliding(old)) => new.inherit(old),
            _ => {}
        }
    }
}
