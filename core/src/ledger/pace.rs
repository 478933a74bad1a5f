//! One quota a minute, of tokens or of requests: the ledgers that must all agree before anything is let go.
//!
//! Bedrock's own limiter is not published, so `auto` keeps a ledger for each kind that is in use (a bucket of
//! 10 s, one of 60 s, a fixed minute, a sliding minute), charges all of them alike and admits only what each
//! of them would. In this project's simulations that is never throttled by any of the four, and uses 96 to
//! 101 % of the quota under each.

use super::bucket::Bucket;
use super::fixed::Fixed;
use super::margins::Margins;
use super::sliding::Sliding;
use crate::config::Pacing;
use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a refusal upstream has taught counts this long.
const LEARNED_FOR: Millis = Millis::from_secs(60);

/// What is left of the ledgers of one quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PaceSnapshot {
    /// What each bucket holds, in its own parts.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<i64>,
    /// Charges by the wall clock's minute.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    minutes: Option<[(u64, u64); 3]>,
    /// Charges of the last minute by whole seconds of age, the last second first; without those of calls that run.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    seconds: Vec<u64>,
}

/// The ledgers of one quota.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    quota: u64,
    buckets: Vec<Bucket>,
    fixed: Option<Fixed>,
    /// Always kept, because it also says what was used in the last minute.
    sliding: Sliding,
    sliding_binds: bool,
    /// Reserved by calls whose start is not known yet: counts in every ledger, at whatever moment is asked.
    undated: u64,
    /// What was taken off after refusals: when, and how much.
    learned: VecDeque<(Timestamp, u64)>,
}

impl Pace {
    pub(super) fn new(quota: u64, pacing: Pacing, margins: &Margins, now: Timestamp) -> Self {
        let spans = match pacing {
            Pacing::Auto => vec![margins.short_bucket, margins.long_bucket],
            Pacing::Window => Vec::new(),
            // The same 2 % below what is believed upstream as the short bucket of `auto`.
            Pacing::Bucket { seconds } => vec![Millis::new(seconds.saturating_mul(980))],
        };
        Self {
            quota,
            buckets: spans
                .into_iter()
                .map(|span| Bucket::full(quota, span, now))
                .collect(),
            fixed: matches!(pacing, Pacing::Auto).then(|| Fixed::empty(quota, margins.boundary)),
            sliding: Sliding::empty(quota, margins.window()),
            sliding_binds: !matches!(pacing, Pacing::Bucket { .. }),
            undated: 0,
            learned: VecDeque::new(),
        }
    }

    /// Takes another quota or pacing; what was charged stays charged.
    pub(super) fn reconfigure(&mut self, quota: u64, pacing: Pacing, margins: &Margins, now: Timestamp) {
        let mut next = Self::new(quota, pacing, margins, now);
        if self.buckets.len() == next.buckets.len() {
            for (new, old) in next.buckets.iter_mut().zip(&self.buckets) {
                *new = old.resized(new.clone());
            }
        } else {
            // Another kind of ledger: nothing says what its level would be, so it starts at the worst.
            next.buckets.iter_mut().for_each(|bucket| bucket.empty_at(now));
        }
        if let (Some(new), Some(old)) = (&mut next.fixed, self.fixed.take()) {
            *new = old;
            new.set_quota(quota);
        }
        std::mem::swap(&mut next.sliding, &mut self.sliding);
        next.sliding.set_quota(quota);
        next.undated = self.undated;
        next.learned = std::mem::take(&mut self.learned);
        *self = next;
    }

    /// Forgets everything and assumes the buckets empty at `at`, for charges to be told again from there.
    pub(super) fn retell_from(&mut self, at: Timestamp) {
        self.buckets.iter_mut().for_each(|bucket| bucket.empty_at(at));
    }

    /// What the next holder of the lane has to know. `running` are charges of calls that are not over, which it is
    /// told by themselves.
    pub(super) fn snapshot(
        &self,
        now: Timestamp,
        running: impl Iterator<Item = (Timestamp, u64)>,
    ) -> PaceSnapshot {
        let mut settled = self.sliding.clone();
        for (at, amount) in running {
            settled.credit(now, at, amount);
        }
        PaceSnapshot {
            buckets: self.buckets.iter().map(|bucket| bucket.parts(now)).collect(),
            minutes: self.fixed.as_ref().map(Fixed::minutes),
            seconds: settled.seconds(now),
        }
    }

    /// Takes up what was left, as of now. A charge is dated to the end of its second, never earlier than it was made.
    /// Where the pacing is another one by now, its buckets start empty.
    pub(super) fn resume(&mut self, now: Timestamp, left: &PaceSnapshot) {
        let same = self.buckets.len() == left.buckets.len();
        for (place, bucket) in self.buckets.iter_mut().enumerate() {
            match left.buckets.get(place).filter(|_| same) {
                Some(parts) => bucket.set_parts(now, *parts),
                None => bucket.empty_at(now),
            }
        }
        let ages = (0u64..).map(|age| now.before(Millis::from_secs(age)));
        let charges: Vec<_> = ages.zip(left.seconds.iter().copied()).collect();
        for (at, amount) in charges.iter().rev().filter(|(_, amount)| *amount > 0) {
            self.sliding.charge(now, *at, *amount);
        }
        match (&mut self.fixed, left.minutes) {
            (Some(fixed), Some(minutes)) => fixed.set_minutes(now, minutes),
            (Some(fixed), None) => charges.iter().for_each(|(at, amount)| fixed.charge(*at, *amount)),
            (None, _) => {}
        }
    }

    /// After [`Pace::resume`]: the charge of a call that started at `at` and is not over. Buckets and minutes have it.
    pub(super) fn rejoin(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.sliding.charge(now, at, amount);
    }

    pub(super) fn quota(&self) -> u64 {
        self.quota
    }

    /// The most that can go at one moment.
    pub(super) fn burst(&self) -> u64 {
        let least = self.buckets.iter().map(Bucket::capacity).min();
        least.map_or(self.quota, |least| least.min(self.quota))
    }

    /// What counts in the last minute.
    pub(super) fn used(&self, now: Timestamp) -> u64 {
        self.sliding.used(now).saturating_add(self.undated)
    }

    /// What could go now; negative in debt.
    pub(super) fn free(&self, now: Timestamp) -> i128 {
        let buckets = self.buckets.iter().map(|bucket| bucket.free(now));
        let fixed = self.fixed.iter().map(|fixed| fixed.free(now));
        let sliding = self.sliding_binds.then(|| self.sliding.free(now));
        let least = buckets.chain(fixed).chain(sliding).min();
        least.unwrap_or(0) - i128::from(self.undated)
    }

    pub(super) fn admits(&self, now: Timestamp, amount: u64) -> bool {
        self.admits_at(now, now, amount, 0)
    }

    /// Whether `amount` would be admitted at `at`, were `extra` taken now.
    pub(super) fn admits_at(&self, now: Timestamp, at: Timestamp, amount: u64, extra: u64) -> bool {
        let taken = self.undated.saturating_add(extra);
        self.buckets
            .iter()
            .all(|bucket| bucket.admits(now, at, amount, taken))
            && self
                .fixed
                .as_ref()
                .is_none_or(|fixed| fixed.admits(at, amount, taken))
            && (!self.sliding_binds || self.sliding.admits(at, amount, taken))
    }

    /// When `amount` will be admitted, if nothing else happens.
    ///
    /// Each ledger only ever gains by waiting, so the latest of their answers is the answer.
    pub(super) fn earliest(&self, now: Timestamp, amount: u64) -> Timestamp {
        let taken = self.undated;
        let buckets = self
            .buckets
            .iter()
            .map(|bucket| bucket.earliest(now, amount, taken));
        let fixed = self.fixed.iter().map(|fixed| fixed.earliest(now, amount, taken));
        let sliding = self
            .sliding_binds
            .then(|| self.sliding.earliest(now, amount, taken));
        buckets.chain(fixed).chain(sliding).max().unwrap_or(now)
    }

    /// Takes `amount` for a call that has not started.
    pub(super) fn hold(&mut self, now: Timestamp, amount: u64) {
        self.sliding.advance(now);
        self.undated = self.undated.saturating_add(amount);
    }

    /// Gives back what was held.
    pub(super) fn unhold(&mut self, amount: u64) {
        self.undated = self.undated.saturating_sub(amount);
    }

    /// Charges `amount` to a call that started at `at`, not later than now.
    pub(super) fn charge(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        // A bucket is charged now, not at the start: what it would have refilled above its capacity in
        // between is left out, which can only refuse.
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.take(now, amount));
        if let Some(fixed) = &mut self.fixed {
            fixed.charge(at, amount);
        }
        self.sliding.charge(now, at, amount);
    }

    /// Gives back a part of what was charged at `at`: to the buckets now, to the windows where it was taken.
    pub(super) fn credit(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.give(now, amount));
        if let Some(fixed) = &mut self.fixed {
            fixed.credit(at, amount);
        }
        self.sliding.credit(now, at, amount);
    }

    /// Learns from a refusal of `amount`: the ledger with the least margin had more in it than there was.
    ///
    /// Only that one is lowered, to just below what was refused: lowering all of them starves the lane. A
    /// refusal soon after another (`again`) costs a debt besides, because someone else uses the quota.
    pub(super) fn learn(&mut self, now: Timestamp, amount: u64, again: bool) {
        let just_below = i128::from(amount) * 98 / 100;
        let held = i128::from(self.undated);
        let quota = i128::from(self.quota);
        let bucket_target = just_below - if again { quota / 20 } else { 0 } + held;
        let window_target = just_below - if again { quota / 100 } else { 0 } + held;
        let fixed = self.fixed.as_ref().map_or(i128::MAX, |fixed| fixed.free(now));
        let sliding = if self.sliding_binds {
            self.sliding.free(now)
        } else {
            i128::MAX
        };
        let bucket = self.buckets.iter_mut().min_by_key(|bucket| bucket.free(now));
        let lost = match bucket {
            Some(bucket) if bucket.free(now) <= fixed.min(sliding) => {
                let lost = bucket.free(now) - bucket_target;
                bucket.lower(now, bucket_target);
                lost
            }
            _ if fixed < sliding => {
                let lost = fixed - window_target;
                if let Some(fixed) = &mut self.fixed {
                    fixed.charge(now, whole(lost));
                }
                lost
            }
            _ => {
                let lost = sliding - window_target;
                self.sliding.charge(now, now, whole(lost));
                lost
            }
        };
        while self
            .learned
            .front()
            .is_some_and(|(at, _)| *at + LEARNED_FOR <= now)
        {
            self.learned.pop_front();
        }
        if lost > 0 {
            self.learned.push_back((now, whole(lost)));
        }
    }

    /// The quota less what refusals of the last minute took off it, where they did.
    pub(super) fn learned(&self, now: Timestamp) -> Option<u64> {
        let recent = self.learned.iter().filter(|(at, _)| *at + LEARNED_FOR > now);
        let lost = recent.fold(0u64, |sum, (_, lost)| sum.saturating_add(*lost));
        (lost > 0).then(|| self.quota.saturating_sub(lost))
    }
}

fn whole(amount: i128) -> u64 {
    u64::try_from(amount.max(0)).unwrap_or(u64::MAX)
}
