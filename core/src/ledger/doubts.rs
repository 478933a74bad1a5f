//! How far the limiter that was found for tokens is believed to limit requests too: for `eager`.
//!
//! Requests are too few a second to find out by themselves, so their ledgers follow what was found for tokens. That the
//! same limiter counts both is likely and not certain. A call refused for requests that a kind which is not paced for
//! any more would have refused says that it is not so: for requests that kind has its say again.

use super::kinds::Kinds;
use super::spells::{Length, Spells};
use crate::units::{Millis, Timestamp};

/// How long a doubt lasts.
const DOUBTED: Length = Length {
    first: Millis::from_secs(1_800),
    doublings: 5,
};

/// Kinds that are paced for whatever was found for tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts(Spells);

impl Doubts {
    pub(super) fn standing(&self, now: Timestamp) -> Kinds {
        self.0.standing(now)
    }

    /// A refusal spoke for them.
    pub(super) fn raise(&mut self, now: Timestamp, kinds: Kinds) {
        self.0.begin(now, kinds, DOUBTED);
    }

    /// For keeping: how long they last, beside [`Doubts::standing`].
    pub(super) const fn spells(&self) -> Spells {
        self.0
    }

    /// As they were kept.
    pub(super) fn known(now: Timestamp, stood: Kinds, kept: Spells) -> Self {
        Self(kept.taken_up(now, stood, DOUBTED))
    }
}
