//! Times in which something is held of a kind of limiter: each time it is found anew, twice as long as the last.
//!
//! They are kept as moments and not as the time that is left: what is kept is the same until something is learned, and a
//! process or a holder that takes it up later goes on counting where the last one was. Clocks that are apart by seconds
//! make no difference to what lasts for minutes.

use super::kinds::{Kind, Kinds};
use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a spell lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// The first time.
    pub(super) first: Millis,
    /// Twice as long each further time, so often at the most.
    pub(super) doublings: u8,
}

impl Length {
    /// Of the one that has so many before it.
    fn after(self, times: u8) -> Millis {
        Millis::new(self.first.get() << times.min(self.doublings))
    }
}

/// By kind: until when, and how often there was one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Spells([(Timestamp, u8); 4]);

impl Spells {
    /// For which kinds there is one now.
    pub(super) fn standing(&self, now: Timestamp) -> Kinds {
        Kinds::ALL.such(|kind| self.0[kind as usize].0 > now)
    }

    /// Whether there never was any.
    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn begin(&mut self, now: Timestamp, kinds: Kinds, length: Length) {
        for kind in kinds.iter() {
            let (until, times) = &mut self.0[kind as usize];
            *until = now + length.after(*times);
            *times = times.saturating_add(1);
        }
    }

    pub(super) fn end(&mut self, kinds: Kinds) {
        for kind in kinds.iter() {
            self.0[kind as usize].0 = Timestamp::EPOCH;
        }
    }

    /// As they were kept, of which these stood. The version before kept no more than that: then each begins now. None
    /// lasts longer than it can have begun to: clocks are set.
    pub(super) fn taken_up(mut self, now: Timestamp, stood: Kinds, length: Length) -> Self {
        let told = |kind: Kind| self.0[kind as usize].1 > 0;
        let untold = stood.such(|kind| !told(kind));
        self.end(Kinds::ALL.without(stood));
        for (until, times) in &mut self.0 {
            *until = (*until).min(now + length.after(times.saturating_sub(1)));
        }
        self.begin(now, untold, length);
        self
    }
}
