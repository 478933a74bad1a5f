//! Calls of the last while, by what they told.

use super::CallHealth;
use crate::units::{Millis, Timestamp};

/// The window moves on by a tenth of itself.
const SLICES: usize = 10;

/// Calls, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    /// Which tenth of a window since the epoch.
    number: u64,
    seen: Seen,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rates {
    slices: [Slice; SLICES],
}

fn number(at: Timestamp, window: Millis) -> u64 {
    at.as_millis() / (window.get() / SLICES as u64).max(1)
}

impl Rates {
    pub(super) fn add(&mut self, now: Timestamp, window: Millis, health: CallHealth) {
        if health == CallHealth::Unknown {
            return;
        }
        let number = number(now, window);
        let place = usize::try_from(number % SLICES as u64).unwrap_or(0);
        let slice = &mut self.slices[place];
        if slice.number != number {
            *slice = Slice {
                number,
                seen: Seen::default(),
            };
        }
        slice.seen.calls += 1;
        slice.seen.failed += u64::from(health == CallHealth::Failed);
        slice.seen.slow += u64::from(health == CallHealth::Slow);
    }

    pub(super) fn seen(&self, now: Timestamp, window: Millis) -> Seen {
        let newest = number(now, window);
        let oldest = newest.saturating_sub(SLICES as u64 - 1);
        self.slices
            .iter()
            .filter(|slice| (oldest..=newest).contains(&slice.number))
            .fold(Seen::default(), |sum, slice| Seen {
                calls: sum.calls + slice.seen.calls,
                failed: sum.failed + slice.seen.failed,
                slow: sum.slow + slice.seen.slow,
            })
    }
}
