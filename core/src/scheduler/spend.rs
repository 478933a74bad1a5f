//! What calls have cost, of what they were expected to: by how much the work that waits is taken for too large.

use crate::units::Tokens;

/// Fewer calls than this say nothing.
const LEAST: u32 = 16;
/// With so many, what is known counts half.
const MOST: u32 = 128;

/// Costs of the lane's last calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spend {
    calls: u32,
    expected: Tokens,
    charged: Tokens,
}

impl Spend {
    /// A call that gave its answer was expected to cost so much, and did.
    pub(super) fn heard(&mut self, expected: Tokens, charged: Tokens) {
        self.calls += 1;
        self.expected += expected;
        self.charged += charged;
        if self.calls >= MOST {
            self.calls /= 2;
            self.expected = Tokens::new(self.expected.get() / 2);
            self.charged = Tokens::new(self.charged.get() / 2);
        }
    }

    /// What is to be expected of `tokens` that are expected, going by the last calls; `None` where there were too few.
    pub(super) fn of(&self, tokens: u64) -> Option<u64> {
        if self.calls < LEAST {
            return None;
        }
        let exact =
            u128::from(tokens) * u128::from(self.charged.get()) / u128::from(self.expected.get().max(1));
        Some(u64::try_from(exact).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_calls_say_nothing_and_old_ones_are_forgotten() {
        let mut spend = Spend::default();
        for _ in 0..LEAST {
            assert_eq!(spend.of(1_000), None);
            spend.heard(Tokens::new(4_000), Tokens::new(1_000));
        }
        assert_eq!(spend.of(1_000), Some(250));
        for _ in 0..1_000 {
            spend.heard(Tokens::new(4_000), Tokens::new(2_000));
        }
        let now = spend.of(1_000).unwrap_or_default();
        assert!((490..=500).contains(&now), "{now}");
    }
}
