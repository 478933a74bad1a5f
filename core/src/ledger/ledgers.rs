//! The ledgers of one quota, one for each kind of limiter that may stand upstream, charged alike.

use super::bucket::Bucket;
use super::fixed::Fixed;
use super::kinds::{Kind, Kinds};
use super::margins::Margins;
use super::sliding::Sliding;
use crate::config::Pacing;
use crate::units::{Millis, Timestamp};

/// One part of so many of what is reserved may be more or less upstream: an input is an estimate until it was counted.
pub(super) const UNSURE_OF_RESERVED: u64 = 50;

/// What is asked of a ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) amount: u64,
    /// Taken before it, by calls whose start is not known or that would go first.
    pub(super) taken: u64,
    /// Reserved by calls under way: of what of it counts in a window, a part may have been taken besides. Buckets have a
    /// margin of their own.
    pub(super) reserved: u64,
    /// Not to be touched at the beginning of a minute's window, and less and less of it up to its end.
    pub(super) kept: u64,
}

impl Ask {
    /// The same, for so much at the most; what is kept leaves room for it.
    pub(super) fn at_most(self, most: u64) -> Self {
        let amount = self.amount.min(most);
        Self {
            amount,
            kept: self.kept.min(most - amount),
            ..self
        }
    }

    /// What a window has to have in which so much counts, beside what is kept.
    pub(super) fn of_window(self, used: u64) -> i128 {
        let unsure = self.reserved.min(used.saturating_add(self.taken)) / UNSURE_OF_RESERVED;
        i128::from(self.taken) + i128::from(self.amount) + i128::from(unsure)
    }
}

/// The ledgers of one quota.
#[derive(Debug, Clone)]
pub(super) struct Ledgers {
    /// Which of them have a say.
    kinds: Kinds,
    buckets: Vec<Bucket>,
    fixed: Option<Fixed>,
    /// Always kept, because it also says what was used in the last minute.
    pub(super) sliding: Sliding,
}

impl Ledgers {
    /// Those that a pacing needs, a little below the limiters that they follow.
    pub(super) fn below(quota: u64, pacing: Pacing, margins: &Margins, now: Timestamp) -> Self {
        let all = matches!(pacing, Pacing::Auto | Pacing::Eager);
        let spans = match pacing {
            Pacing::Auto | Pacing::Eager => vec![margins.short_bucket, margins.long_bucket],
            Pacing::Window => Vec::new(),
            // The same 2 % below what is believed upstream as the short bucket of `auto`.
            Pacing::Bucket { seconds } => vec![Millis::new(seconds.saturating_mul(980))],
        };
        Self {
            kinds: Self::of(pacing),
            buckets: buckets(quota, &spans, now),
            fixed: all.then(|| Fixed::empty(quota, margins.boundary)),
            sliding: Sliding::empty(quota, margins.window()),
        }
    }

    /// All of them, never below the limiters: what one of these refuses, such a limiter would surely have refused.
    pub(super) fn above(quota: u64, margins: &Margins, now: Timestamp) -> Self {
        let spans = [Millis::from_secs(10), Millis::from_secs(60)];
        Self {
            kinds: Kinds::ALL,
            buckets: buckets(quota, &spans, now),
            fixed: Some(Fixed::at_least(quota, margins.boundary)),
            sliding: Sliding::empty(quota, margins.least_window()),
        }
    }

    /// Which of them there are, and have a say.
    pub(super) fn of(pacing: Pacing) -> Kinds {
        match pacing {
            Pacing::Auto | Pacing::Eager => Kinds::ALL,
            Pacing::Window => Kinds::only(Kind::SlidingMinute),
            Pacing::Bucket { .. } => Kinds::only(Kind::ShortBucket),
        }
    }

    pub(super) fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Takes over what was charged in `old`, which may be of another quota or pacing.
    pub(super) fn succeed(&mut self, old: Self, quota: u64, now: Timestamp) {
        if self.buckets.len() == old.buckets.len() {
            for (new, old) in self.buckets.iter_mut().zip(&old.buckets) {
                *new = old.resized(new.clone());
            }
        } else {
            // Another kind of ledger: nothing says what its level would be, so it starts at the worst.
            self.empty_at(now);
        }
        if let (Some(new), Some(old)) = (&mut self.fixed, old.fixed) {
            *new = old;
        }
        self.sliding = old.sliding;
        self.refill_at(quota, now);
    }

    /// From now on they fill at this quota a minute; what buckets hold at most stays.
    pub(super) fn refill_at(&mut self, quota: u64, now: Timestamp) {
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.set_rate(now, quota));
        self.fixed.iter_mut().for_each(|fixed| fixed.set_quota(quota));
        self.sliding.set_quota(quota);
    }

    /// Takes the buckets to be empty at a moment that may lie in the past.
    pub(super) fn empty_at(&mut self, at: Timestamp) {
        self.buckets.iter_mut().for_each(|bucket| bucket.empty_at(at));
    }

    /// What each bucket holds, in its own parts.
    pub(super) fn parts(&self, now: Timestamp) -> Vec<i64> {
        self.buckets.iter().map(|bucket| bucket.parts(now)).collect()
    }

    /// Charges by the wall clock's minute.
    pub(super) fn minutes(&self) -> Option<[(u64, u64); 3]> {
        self.fixed.as_ref().map(Fixed::minutes)
    }

    /// Takes up what was kept of them; `seconds` are charges by whole seconds of age. Where the pacing is another one
    /// by now, the buckets start empty.
    pub(super) fn resume(
        &mut self,
        now: Timestamp,
        parts: &[i64],
        minutes: Option<[(u64, u64); 3]>,
        seconds: &[u64],
    ) {
        let same = self.buckets.len() == parts.len();
        for (place, bucket) in self.buckets.iter_mut().enumerate() {
            match parts.get(place).filter(|_| same) {
                Some(parts) => bucket.set_parts(now, *parts),
                None => bucket.empty_at(now),
            }
        }
        let ages = (0u64..).map(|age| now.before(Millis::from_secs(age)));
        let charges: Vec<_> = ages.zip(seconds.iter().copied()).collect();
        for (at, amount) in charges.iter().rev().filter(|(_, amount)| *amount > 0) {
            self.sliding.charge(now, *at, *amount);
        }
        match (&mut self.fixed, minutes) {
            (Some(fixed), Some(minutes)) => fixed.set_minutes(now, minutes),
            (Some(fixed), None) => charges.iter().for_each(|(at, amount)| fixed.charge(*at, *amount)),
            (None, _) => {}
        }
    }

    /// The most that these can let go at one moment.
    pub(super) fn burst(&self, kinds: Kinds) -> u64 {
        let buckets = kinds.iter().filter_map(|kind| self.bucket(kind));
        buckets.map(Bucket::capacity).min().unwrap_or(u64::MAX)
    }

    /// What one of them has; negative in debt.
    pub(super) fn free(&self, kind: Kind, now: Timestamp) -> i128 {
        match kind {
            Kind::ShortBucket | Kind::LongBucket => self.bucket(kind).map(|bucket| bucket.free(now)),
            Kind::FixedMinute => self.fixed.as_ref().map(|fixed| fixed.free(now)),
            Kind::SlidingMinute => Some(self.sliding.free(now)),
        }
        .unwrap_or(i128::MAX)
    }

    /// Whether one of them would let it go at `at`, were what is taken taken now.
    pub(super) fn admits(&self, kind: Kind, now: Timestamp, at: Timestamp, ask: Ask) -> bool {
        match kind {
            Kind::ShortBucket | Kind::LongBucket => self
                .bucket(kind)
                .is_none_or(|bucket| bucket.admits(now, at, ask.amount, ask.taken)),
            Kind::FixedMinute => self.fixed.as_ref().is_none_or(|fixed| fixed.admits(at, ask)),
            Kind::SlidingMinute => self.sliding.admits(at, ask),
        }
    }

    /// When one of them will let it go, if nothing else happens.
    pub(super) fn earliest(&self, kind: Kind, now: Timestamp, ask: Ask) -> Timestamp {
        match kind {
            Kind::ShortBucket | Kind::LongBucket => self
                .bucket(kind)
                .map_or(now, |bucket| bucket.earliest(now, ask.amount, ask.taken)),
            Kind::FixedMinute => self.fixed.as_ref().map_or(now, |fixed| fixed.earliest(now, ask)),
            Kind::SlidingMinute => self.sliding.earliest(now, ask),
        }
    }

    /// Charges `amount` to a call that started at `at`, not later than now.
    pub(super) fn charge(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        // A bucket is charged now, not at the start: what it would have refilled above its capacity in
        // between is left out, which can only refuse.
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.take(now, amount));
        self.fixed.iter_mut().for_each(|fixed| fixed.charge(at, amount));
        self.sliding.charge(now, at, amount);
    }

    /// Gives back a part of what was charged at `at`: to the buckets now, to the windows where it was taken.
    pub(super) fn credit(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.give(now, amount));
        self.fixed.iter_mut().for_each(|fixed| fixed.credit(at, amount));
        self.sliding.credit(now, at, amount);
    }

    /// Leaves no more than `most` in one of them; what was taken off.
    pub(super) fn lower(&mut self, kind: Kind, now: Timestamp, most: i128) -> u64 {
        let lost = self.free(kind, now).saturating_sub(most);
        let lost = u64::try_from(lost.max(0)).unwrap_or(u64::MAX);
        match kind {
            Kind::ShortBucket | Kind::LongBucket => {
                let place = usize::from(kind == Kind::LongBucket);
                self.buckets
                    .get_mut(place)
                    .into_iter()
                    .for_each(|bucket| bucket.lower(now, most));
            }
            Kind::FixedMinute => self.fixed.iter_mut().for_each(|fixed| fixed.charge(now, lost)),
            Kind::SlidingMinute => self.sliding.charge(now, now, lost),
        }
        lost
    }

    fn bucket(&self, kind: Kind) -> Option<&Bucket> {
        match kind {
            Kind::ShortBucket => self.buckets.first(),
            Kind::LongBucket => self.buckets.get(1),
            Kind::FixedMinute | Kind::SlidingMinute => None,
        }
    }
}

fn buckets(quota: u64, spans: &[Millis], now: Timestamp) -> Vec<Bucket> {
    let full = |span: &Millis| Bucket::full(quota, *span, now);
    spans.iter().map(full).collect()
}
