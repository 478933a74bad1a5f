//! How long to wait before the next attempt.
//!
//! Source of the formulas: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Randomness
//! is an argument, so that a seed replays a run.

use crate::units::Millis;

/// How the random part is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Evenly from zero to the ceiling: spreads callers best.
    Full,
    /// Evenly from half the ceiling to the ceiling: never comes back at once.
    Equal,
}

/// A doubling wait: its ceiling is `base` for the first attempt and doubles up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Millis,
    cap: Millis,
    jitter: Jitter,
}

impl Backoff {
    /// A wait with this first ceiling and this largest one. A `base` above `cap` counts as `cap`.
    pub const fn new(base: Millis, cap: Millis, jitter: Jitter) -> Self {
        Self { base, cap, jitter }
    }

    /// The longest wait after `earlier` attempts that ended the same way.
    pub fn ceiling(&self, earlier: u32) -> Millis {
        let factor = 1u64.checked_shl(earlier).unwrap_or(u64::MAX);
        Millis::new(self.base.get().saturating_mul(factor)).min(self.cap)
    }

    /// The wait after `earlier` attempts; `random` is drawn evenly from all of `u64`.
    pub fn wait(&self, earlier: u32, random: u64) -> Millis {
        let ceiling = self.ceiling(earlier).get();
        let floor = match self.jitter {
            Jitter::Full => 0,
            Jitter::Equal => ceiling / 2,
        };
        Millis::new(floor + scale(random, ceiling - floor))
    }
}

/// `random` of 2^64 as the same part of `0..=most`.
fn scale(random: u64, most: u64) -> u64 {
    let product = u128::from(random) * (u128::from(most) + 1);
    // Below 2^64, since `random` is.
    u64::try_from(product >> 64).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: Backoff = Backoff::new(Millis::new(100), Millis::new(2_000), Jitter::Full);

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<u64> = (0..6).map(|n| FULL.ceiling(n).get()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1_600, 2_000]);
        assert_eq!(FULL.ceiling(u32::MAX), Millis::new(2_000));
    }

    #[test]
    fn jitter_reaches_both_ends() {
        let equal = Backoff::new(Millis::new(100), Millis::new(2_000), Jitter::Equal);
        assert_eq!(FULL.wait(1, 0), Millis::ZERO);
        assert_eq!(FULL.wait(1, u64::MAX), Millis::new(200));
        assert_eq!(equal.wait(1, 0), Millis::new(100));
        assert_eq!(equal.wait(1, u64::MAX), Millis::new(200));
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_its_ceiling(base: u64, cap: u64, earlier: u32, random: u64, full: bool) {
            let jitter = if full { Jitter::Full } else { Jitter::Equal };
            let backoff = Backoff::new(Millis::new(base), Millis::new(cap), jitter);
            let wait = backoff.wait(earlier, random);
            prop_assert!(wait <= backoff.ceiling(earlier));
            prop_assert!(backoff.ceiling(earlier) <= Millis::new(cap));
        }
    }
}
