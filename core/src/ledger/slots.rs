//! Calls at once, and what a refusal for capacity (503) teaches about how many there may be.

use crate::units::{Millis, Timestamp};

/// The ceiling rises by one call this often, up to the configured maximum.
const GROW_EVERY: Millis = Millis::from_secs(1);

/// The ceiling of calls at once: configured, lowered to 7/10 of what ran by a refusal, raised one by one.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    most: u32,
    ceiling: u32,
    since: Timestamp,
    /// Calls that started before this were under way when the ceiling was last lowered.
    lowered_at: Option<Timestamp>,
}

impl Slots {
    pub(super) fn new(most: u32, now: Timestamp) -> Self {
        Self {
            most: most.max(1),
            ceiling: most.max(1),
            since: now,
            lowered_at: None,
        }
    }

    pub(super) fn set_most(&mut self, most: u32, now: Timestamp) {
        let learned = self.ceiling(now) < self.most;
        let ceiling = if learned {
            self.ceiling(now).min(most)
        } else {
            most
        };
        *self = Self {
            ceiling: ceiling.max(1),
            lowered_at: self.lowered_at,
            ..Self::new(most, now)
        };
    }

    pub(super) fn ceiling(&self, now: Timestamp) -> u32 {
        let grown = now.since(self.since).get() / GROW_EVERY.get();
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        self.ceiling.saturating_add(grown).min(self.most)
    }

    /// When one more call may run beside `running`: now, when the ceiling has grown, or (`None`) only once one
    /// of them is over.
    pub(super) fn opens(&self, now: Timestamp, running: usize) -> Option<Timestamp> {
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        if running < self.ceiling(now) {
            return Some(now);
        }
        if running >= self.most {
            return None;
        }
        let steps = u64::from(running.saturating_add(1).saturating_sub(self.ceiling));
        Some(self.since + Millis::new(steps.saturating_mul(GROW_EVERY.get())))
    }

    /// A call that started at `started` was refused while `running` ran, itself included.
    pub(super) fn refused(&mut self, now: Timestamp, started: Timestamp, running: usize) {
        // Calls that were already under way then say nothing new.
        if self.lowered_at.is_some_and(|lowered| started <= lowered) {
            return;
        }
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        let had = self.ceiling(now).min(running);
        self.ceiling = (had.saturating_mul(7) / 10).max(1);
        self.since = now;
        self.lowered_at = Some(now);
    }
}
