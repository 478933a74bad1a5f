//! How much is taken lately, told by a sliding window of two slots.

use crate::units::{Millis, Timestamp};

/// How long a slot is, and so the window.
const SPAN: u64 = Millis::from_secs(5).get();

/// What was taken in the last [`SPAN`]: in the slot that goes on, and as much of the one before as the window still covers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lately {
    /// Its number since the epoch.
    slot: u64,
    this: u64,
    before: u64,
}

impl Lately {
    pub(super) fn takes(&mut self, now: Timestamp, amount: u64) {
        let slot = (now.as_millis() / SPAN).max(self.slot);
        self.before = match slot - self.slot {
            0 => self.before,
            1 => self.this,
            _ => 0,
        };
        self.this = if slot == self.slot { self.this } else { 0 }.saturating_add(amount);
        self.slot = slot;
    }

    /// What it would come to in a minute, were it to go on.
    pub(super) fn a_minute(&self, now: Timestamp) -> u64 {
        let now = now.as_millis().max(self.slot * SPAN);
        let covered = |amount: u64| u128::from(amount) * u128::from(SPAN - now % SPAN) / u128::from(SPAN);
        let taken = match now / SPAN - self.slot {
            0 => u128::from(self.this) + covered(self.before),
            1 => covered(self.this),
            _ => 0,
        };
        u64::try_from(taken * 60_000 / u128::from(SPAN)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[test]
    fn a_steady_stream_is_told_as_what_it_takes_in_a_minute() {
        let mut lately = Lately::default();
        for call in 0..600 {
            lately.takes(at(call * 100), 50);
        }
        let told = lately.a_minute(at(60_000));
        assert!((29_000..=31_000).contains(&told), "{told} of 30,000");
    }

    #[test]
    fn what_was_taken_counts_less_and_less_and_nothing_two_slots_later() {
        let mut lately = Lately::default();
        lately.takes(at(0), 1_000);
        let told = |lately: &Lately, ms: [u64; 6]| ms.map(|ms| lately.a_minute(at(ms)));
        let all = told(&lately, [0, 4_999, 5_000, 7_500, 10_000, 1_000_000]);
        assert_eq!(all, [12_000, 12_000, 12_000, 6_000, 0, 0]);
        lately.takes(at(7_500), 100);
        let more = told(&lately, [7_500, 10_000, 12_500, 15_000, 0, 5_000]);
        assert_eq!(more[..4], [7_200, 1_200, 600, 0]);
        assert_eq!(more[4], more[5], "a clock that goes back takes nothing off");
        lately.takes(at(1_000), 100);
        assert_eq!(lately.a_minute(at(7_500)), 8_400);
        lately.takes(at(60_000), 1);
        assert_eq!(lately.a_minute(at(60_000)), 12);
    }
}
