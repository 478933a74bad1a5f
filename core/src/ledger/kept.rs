//! What `eager` keeps of a window for interactive requests.
//!
//! Only once it is known that a window stands upstream: before that it would keep from finding out, and a bucket refills
//! for whoever comes. Less and less to the window's end, which for a sliding one is a minute after what was spent; a fixed
//! one may turn at any time. While it may be either, the one by which less is kept has its way: once a fixed minute has
//! turned, a sliding one is filled to the last, for only that shows which it is. What was tried besides stands in
//! [`super::suspects`].

use super::book::Ledger;
use super::demand::Leaves;
use super::kinds::{Kind, Kinds};
use super::pace::{Pace, Wish};
use crate::units::{Timestamp, Tokens};

/// One part of so many.
const KEPT_OF_SLIDING: u64 = 5;
const KEPT_OF_FIXED: u64 = 10;
/// Where little waits: how many times the rate at which they take it lately, and one part of so many at the least.
const GOES_ON: u64 = 2;
const KEPT_AT_LEAST: u64 = 100;
/// What waits is little up to one part of a minute's quota of so many.
const LITTLE: u64 = 10;

impl Pace {
    pub(super) fn kept(&self, now: Timestamp, wish: Wish) -> u64 {
        self.kept_beside(now, wish, self.lately.a_minute(now))
    }

    /// The same once `other` has gone.
    pub(super) fn kept_after(&self, now: Timestamp, wish: Wish, other: Wish) -> u64 {
        let mut lately = self.lately;
        if other.leaves == Leaves::Nothing {
            lately.takes(now, other.amount);
        }
        self.kept_beside(now, wish, lately.a_minute(now))
    }

    fn kept_beside(&self, now: Timestamp, wish: Wish, rate: u64) -> u64 {
        let Some(windows) = self.windows_alone(now) else {
            return 0;
        };
        let part = if windows.has(Kind::SlidingMinute) {
            self.quota / KEPT_OF_SLIDING
        } else {
            self.quota / KEPT_OF_FIXED
        };
        let kept = match wish.leaves {
            Leaves::Nothing => 0,
            Leaves::WhatTheyTake => {
                let goes_on = rate.saturating_mul(GOES_ON);
                part.min(goes_on.max(self.quota / KEPT_AT_LEAST))
            }
            Leaves::APart => part,
        };
        // What would never go beside it goes as if nothing were kept.
        kept.min(self.quota.saturating_sub(wish.amount))
    }

    /// Those that are left, where it was found out that only windows are.
    fn windows_alone(&self, now: Timestamp) -> Option<Kinds> {
        let suspects = self.suspects.as_ref().filter(|_| !self.others.are_there())?;
        let left = suspects.left(now);
        left.without(Kinds::WINDOWS).is_empty().then_some(left)
    }
}

impl Ledger {
    /// Whether so much work is little.
    pub fn is_little(&self, tokens: Tokens) -> bool {
        tokens.get() <= self.lane.tokens_per_minute.get() / LITTLE
    }

    /// Whether something is kept for interactive requests: before long it may be less.
    pub fn keeps_something(&self, now: Timestamp) -> bool {
        self.tokens.windows_alone(now).is_some()
    }
}
