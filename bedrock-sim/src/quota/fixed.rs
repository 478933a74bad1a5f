//! Windows that begin at fixed moments.

use crate::clock::Micros;

/// Counts what was charged since the window began. What is beyond the limit when a window ends
/// (debt of a settlement) is forgiven with it.
#[derive(Debug)]
pub struct FixedWindow {
    limit: u64,
    length: Micros,
    phase: Micros,
    window: u64,
    used: u64,
}

impl FixedWindow {
    /// Windows begin at every whole `length` shifted back by `phase`: with a phase of 20 s and a
    /// length of 60 s the first window ends after 40 s.
    pub(super) fn new(limit: u64, length: Micros, phase: Micros) -> Self {
        Self {
            limit,
            length,
            phase,
            window: 0,
            used: 0,
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    fn number(&self, at: Micros) -> u64 {
        (at + self.phase).0 / self.length.0
    }

    fn turn(&mut self, now: Micros) {
        let number = self.number(now);
        if number > self.window {
            self.window = number;
            self.used = 0;
        }
    }

    pub(super) fn free(&mut self, now: Micros) -> i128 {
        self.turn(now);
        i128::from(self.limit) - i128::from(self.used)
    }

    pub(super) fn charge(&mut self, now: Micros, amount: u64) {
        self.turn(now);
        self.used = self.used.saturating_add(amount);
    }

    /// A surplus returns only to the window that paid it.
    pub(super) fn credit(&mut self, now: Micros, charged_at: Micros, amount: u64) {
        self.turn(now);
        if self.number(charged_at) == self.window {
            self.used = self.used.saturating_sub(amount);
        }
    }

    pub(super) fn inherit(&mut self, now: Micros, old: &Self) {
        self.turn(now);
        if old.phase == self.phase && old.window == self.window {
            self.used = old.used;
        }
    }
}
