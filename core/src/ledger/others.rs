//! How much of a quota other clients of the account take.
//!
//! A refusal that no ledger explains says that somebody else uses the quota, or that it is smaller than was believed;
//! for pacing it comes to the same. The estimate goes up with such refusals, by as much as the lane's own use of the
//! last minute shows and by a step at least. It comes down only by calls that are let go beyond it and accepted. A
//! row of them goes faster and faster, and is a trial: a limiter may hold a reserve that hides for some seconds that
//! the others are still there, so the first refusal within [`TRIAL`] takes nearly all of the row back. A trial costs
//! about one refusal; the less the others take, the less there is to win by it, and the rarer it is.
//!
//! The share only ever holds back. A call that is let go to ask is one that the ledgers would admit if nobody else were
//! there (`Pace::whole`): tokens and requests stay within the quota whatever was learned, and each has a share of its own.
//!
//! Tried and dropped, in the bed of `scheduler/tests/pacing` (another client takes 30 % for ten minutes; refused
//! meanwhile on bucket of 10 s / bucket of 60 s / fixed / sliding minute): steps of 6 % and no trial, 2.8 / 1.8 / 3.7 /
//! 3.8 %, because each row went down to nothing and the way up was as long as the first time; gaps between probes that
//! grow with each failure, 1.8 / 1.3 / 2.2 / 2.3 % and 35 to 40 s until recovered instead of 3 to 24 s; starting at the
//! second refusal instead of the first, 0.3 to 0.5 % more. A lane that is alone loses nothing by starting at the first:
//! it asks again after 10 s.

use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// A part of a quota, in ten-thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

const WHOLE: u32 = 10_000;
/// More is never assumed: the lane's own calls would hardly go.
const MOST: Share = Share(6_000);
/// Below this nobody is assumed to share the quota.
const LEAST: Share = Share(200);
/// What one refusal by itself makes of nothing.
const FIRST: Share = Share(500);
/// What each further one adds.
const STEPS: (u32, u32) = (700, 1_200);
/// A refusal so soon after another confirms it.
const SOON: Millis = Millis::from_secs(20);
/// After a refusal by itself: when to ask whether it meant anything.
const DOUBT: Millis = Millis::from_secs(10);
/// Between two trials, where others take a [`WORTH`] or more; longer where they take less.
const GAP: Millis = Millis::from_secs(45);
const WORTH: u32 = 2_500;
/// The gap is as for this share at the most.
const WORTH_LEAST: u32 = 500;
/// Between two probes of a row.
const NEXT: Millis = Millis::from_secs(1);
/// What the first probe of a row takes off, doubled by each, up to the most.
const DOWN: u32 = 100;
const DOWN_MOST: u32 = 800;
/// How long after the last probe of a row a refusal still takes it back.
const TRIAL: Millis = Millis::from_secs(45);
/// How much of a row a refusal takes back, in percent.
const BACK: u32 = 90;
/// What is refused so soon after a failed trial is its aftermath.
const AFTERMATH: Millis = Millis::from_secs(10);

impl Share {
    pub(super) const NONE: Self = Self(0);

    /// What is missing from `whole` to `part`.
    pub(super) fn missing(part: u64, whole: u64) -> Self {
        let have = u128::from(part) * u128::from(WHOLE) / u128::from(whole.max(1));
        Self(WHOLE.saturating_sub(u32::try_from(have).unwrap_or(WHOLE)))
    }

    /// What it leaves of a quota.
    pub(super) fn rest_of(self, quota: u64) -> u64 {
        let rest = u128::from(quota) * u128::from(WHOLE.saturating_sub(self.0)) / u128::from(WHOLE);
        u64::try_from(rest).unwrap_or(u64::MAX)
    }

    /// In percent, rounded.
    pub const fn percent(self) -> u32 {
        (self.0 + WHOLE / 200) / (WHOLE / 100)
    }

    /// To a whole percent, for keeping.
    pub(super) const fn rounded(self) -> Self {
        Self(self.percent() * (WHOLE / 100))
    }
}

/// The estimate.
#[derive(Debug, Clone)]
pub(super) struct Others {
    share: Share,
    /// What it was before the last row of accepted probes.
    before: Share,
    /// How many that row has, and when the last was accepted.
    row: u32,
    lowered: Option<Timestamp>,
    /// The last refusal that said something.
    refused: Option<Timestamp>,
    /// The last trial that failed.
    failed: Option<Timestamp>,
    next_probe: Timestamp,
}

impl Others {
    pub(super) const fn none() -> Self {
        Self {
            share: Share::NONE,
            before: Share::NONE,
            row: 0,
            lowered: None,
            refused: None,
            failed: None,
            next_probe: Timestamp::EPOCH,
        }
    }

    /// As it was kept; whether it still holds is asked soon.
    pub(super) fn known(share: Share, now: Timestamp) -> Self {
        Self {
            share: share.min(MOST),
            next_probe: now + DOUBT,
            ..Self::none()
        }
    }

    /// The same under another quota: what the lane could have stays.
    pub(super) fn under_another(self, old: u64, new: u64, now: Timestamp) -> Self {
        if self.share == Share::NONE || old == new {
            return self;
        }
        Self::known(Share::missing(self.share.rest_of(old), new), now)
    }

    pub(super) const fn share(&self) -> Share {
        self.share
    }

    /// Whether anybody is assumed to share the quota.
    pub(super) fn are_there(&self) -> bool {
        self.share >= LEAST
    }

    /// When a call may be let go to see whether they still are: never while nobody is assumed.
    pub(super) fn probes_at(&self) -> Timestamp {
        if self.share == Share::NONE {
            Timestamp::NEVER
        } else {
            self.next_probe
        }
    }

    /// A call that was let go at `released` was refused, and no ledger explains it; `measured` is what others must be
    /// using, by what this lane has used. True where that ended a trial.
    pub(super) fn refused(&mut self, now: Timestamp, released: Timestamp, measured: Share) -> bool {
        // Calls that were on their way together tell one thing together.
        if self.refused.is_some_and(|last| released <= last) {
            return false;
        }
        let confirms = self.are_there() || within(self.refused, now, SOON);
        self.refused = Some(now);
        if self.on_trial(now) {
            self.fails(now);
            return true;
        }
        if within(self.failed, now, AFTERMATH) {
            return false;
        }
        let (least, most) = STEPS;
        let step = measured.0.saturating_sub(self.share.0).clamp(least, most);
        self.share = if confirms {
            Share(self.share.0 + step).min(MOST)
        } else {
            self.share.max(FIRST)
        };
        self.next_probe = now + if confirms { self.gap() } else { DOUBT };
        false
    }

    /// A probe was accepted.
    pub(super) fn accepted(&mut self, now: Timestamp) {
        if !self.on_trial(now) {
            self.before = self.share;
            self.row = 0;
        }
        let step = (DOWN << self.row.min(8)).min(DOWN_MOST);
        self.share = Share(self.share.0.saturating_sub(step));
        self.row += 1;
        self.lowered = Some(now);
        self.next_probe = now + NEXT;
    }

    /// A probe was refused: they are still there.
    pub(super) fn probe_refused(&mut self, now: Timestamp) {
        self.refused = Some(now);
        self.fails(now);
    }

    /// Whether it was lowered so lately that a refusal says it should not have been.
    fn on_trial(&self, now: Timestamp) -> bool {
        self.row > 0 && within(self.lowered, now, TRIAL)
    }

    fn fails(&mut self, now: Timestamp) {
        if self.row > 0 {
            let fallen = self.before.0.saturating_sub(self.share.0);
            self.share = Share(self.share.0 + fallen * BACK / 100);
        }
        self.row = 0;
        self.failed = Some(now);
        self.next_probe = now + self.gap();
    }

    fn gap(&self) -> Millis {
        let share = self.share.0.clamp(WORTH_LEAST, WORTH);
        Millis::new(GAP.get() * u64::from(WORTH) / u64::from(share))
    }
}

fn within(last: Option<Timestamp>, now: Timestamp, span: Millis) -> bool {
    last.is_some_and(|last| now.since(last) < span)
}
