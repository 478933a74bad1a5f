//! How far the limiter that was found for tokens is believed to limit requests too: for `eager`.
//!
//! Requests are too few a second to find out by themselves, so their ledgers follow what was found for tokens. That the
//! same limiter counts both is likely and not certain. A call refused for requests that a kind which is not paced for
//! any more would have refused says that it is not so: for requests that kind has its say again.

use super::kinds::Kinds;
use crate::units::{Millis, Timestamp};

/// How long the first time; twice as long each further time, so often at the most.
const FOR: Millis = Millis::from_secs(1_800);
const DOUBLINGS: u8 = 5;

/// Kinds that are paced for whatever was found for tokens.
#[derive(Debug, Clone)]
pub(super) struct Doubts {
    until: [Timestamp; 4],
    times: [u8; 4],
}

impl Doubts {
    pub(super) const fn none() -> Self {
        Self {
            until: [Timestamp::EPOCH; 4],
            times: [0; 4],
        }
    }

    pub(super) fn standing(&self, now: Timestamp) -> Kinds {
        Kinds::ALL.such(|kind| self.until[kind as usize] > now)
    }

    /// A refusal spoke for them.
    pub(super) fn raise(&mut self, now: Timestamp, kinds: Kinds) {
        for kind in kinds.iter() {
            let place = kind as usize;
            self.until[place] = now + Millis::new(FOR.get() << self.times[place].min(DOUBLINGS));
            self.times[place] = self.times[place].saturating_add(1);
        }
    }

    /// As it was kept: for the whole time again.
    pub(super) fn known(&mut self, now: Timestamp, kinds: Kinds) {
        self.raise(now, kinds);
    }
}
