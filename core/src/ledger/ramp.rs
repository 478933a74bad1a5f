//! A slow start: how many calls may be on their way of which it is not known whether they were accepted.

use super::probe::KNOWN_AFTER;
use crate::units::Timestamp;
use std::collections::VecDeque;

/// Where it begins.
const NARROW: usize = 4;
/// From here on it has nothing to say.
const WIDE: usize = 256;

/// Each accepted call makes room for two; a refusal halves it, down to where it begins at once.
#[derive(Debug, Clone)]
pub(super) struct Ramp {
    limit: usize,
    fresh: VecDeque<Timestamp>,
}

impl Ramp {
    pub(super) const fn over() -> Self {
        Self {
            limit: WIDE,
            fresh: VecDeque::new(),
        }
    }

    pub(super) const fn begin() -> Self {
        Self {
            limit: NARROW,
            fresh: VecDeque::new(),
        }
    }

    pub(super) fn look(&mut self, now: Timestamp) {
        while self.fresh.front().is_some_and(|went| *went + KNOWN_AFTER <= now) {
            self.fresh.pop_front();
            self.limit = (self.limit + 1).min(WIDE);
        }
        if self.limit == WIDE {
            self.fresh.clear();
        }
    }

    pub(super) fn went(&mut self, now: Timestamp) {
        if self.limit < WIDE {
            self.fresh.push_back(now);
        }
    }

    pub(super) fn refused(&mut self) {
        self.limit = (self.limit / 2).clamp(1, NARROW);
    }

    /// When the next call may go.
    pub(super) fn opens(&self, now: Timestamp) -> Timestamp {
        let first = self.fresh.front().filter(|_| self.fresh.len() >= self.limit);
        first.map_or(now, |went| *went + KNOWN_AFTER).max(now)
    }
}
