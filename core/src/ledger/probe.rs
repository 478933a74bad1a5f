//! A call that was let go to see whether it is refused.

use super::CallKey;
use super::kinds::{Kind, Kinds};
use crate::units::{Millis, Timestamp};

/// What is not refused within this of its start is taken to be accepted: Bedrock refuses at once. Should it be refused
/// after all, what that has ruled out is a suspect again.
pub(super) const KNOWN_AFTER: Millis = Millis::new(400);

/// What it is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Whether other clients still take their share.
    Others,
    /// Which limiter stands upstream: these would refuse it, and those would not. It went in this
    /// [round](super::suspects::Suspects::round).
    Limiter { refuse: Kinds, admit: Kinds, round: u32 },
}

/// The call.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    key: CallKey,
    why: Why,
    started: Option<Timestamp>,
    /// By kind: what a limiter had left after it at the most; below nothing, it would surely have refused it.
    margins: Option<[i128; 4]>,
}

impl Probe {
    pub(super) const fn new(key: CallKey, why: Why) -> Self {
        Self {
            key,
            why,
            started: None,
            margins: None,
        }
    }

    pub(super) fn is(&self, key: CallKey) -> bool {
        self.key == key
    }

    pub(super) const fn key(&self) -> CallKey {
        self.key
    }

    pub(super) const fn why(&self) -> Why {
        self.why
    }

    pub(super) const fn started(&mut self, at: Timestamp, margins: Option<[i128; 4]>) {
        self.started = Some(at);
        self.margins = margins;
    }

    /// Something was given back to the quota: up to `way` after the start it may have been there before the call.
    pub(super) fn credited(&mut self, now: Timestamp, way: Millis, amount: u64) {
        if self.started.is_some_and(|started| now.since(started) <= way) {
            for margin in self.margins.iter_mut().flatten() {
                *margin += i128::from(amount);
            }
        }
    }

    /// Whether such a limiter would surely have refused it.
    pub(super) fn contradicts(&self, kind: Kind) -> bool {
        self.margins.is_some_and(|margins| margins[kind as usize] < 0)
    }

    /// When it is taken to be accepted.
    pub(super) fn known_at(&self) -> Timestamp {
        self.started
            .map_or(Timestamp::NEVER, |started| started + KNOWN_AFTER)
    }
}
