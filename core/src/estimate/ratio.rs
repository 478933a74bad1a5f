//! Actual over estimated tokens.

use crate::units::Tokens;
use serde::{Deserialize, Serialize};

const MILLION: u64 = 1_000_000;

/// A factor between 0.25 and 4, in millionths: further off no tokenizer is, only a broken estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Ratio(u64);

impl Ratio {
    /// No correction.
    pub const ONE: Self = Self(MILLION);
    /// The smallest factor.
    pub const LEAST: Self = Self(MILLION / 4);
    /// The largest factor.
    pub const MOST: Self = Self(MILLION * 4);

    /// From millionths, moved within the bounds.
    pub fn from_ppm(ppm: u64) -> Self {
        Self(ppm.clamp(Self::LEAST.0, Self::MOST.0))
    }

    /// `actual / estimated`, moved within the bounds; 1 where either is zero.
    pub fn between(estimated: Tokens, actual: Tokens) -> Self {
        if estimated == Tokens::ZERO || actual == Tokens::ZERO {
            return Self::ONE;
        }
        Self::from_ppm(muldiv(actual.get(), MILLION, estimated.get()))
    }

    /// The factor in millionths.
    pub const fn ppm(self) -> u64 {
        self.0
    }

    /// `tokens × self`, rounded up.
    pub fn apply(self, tokens: Tokens) -> Tokens {
        let product = u128::from(tokens.get()) * u128::from(self.0);
        Tokens::new(u64::try_from(product.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX))
    }

    /// `tokens ÷ self`: what [`Ratio::apply`] was given, but for rounding.
    pub fn undo(self, tokens: Tokens) -> Tokens {
        Tokens::new(muldiv(tokens.get(), MILLION, self.0))
    }

    /// Whether the two differ by more than this many hundredths of `self`.
    pub const fn differs(self, other: Self, percent: u64) -> bool {
        self.0.abs_diff(other.0) > self.0 / 100 * percent
    }
}

impl From<u64> for Ratio {
    fn from(ppm: u64) -> Self {
        Self::from_ppm(ppm)
    }
}

impl From<Ratio> for u64 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

fn muldiv(value: u64, factor: u64, divisor: u64) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    product
        .checked_div(u128::from(divisor))
        .map_or(u64::MAX, |quotient| u64::try_from(quotient).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ratio_is_bounded_and_undone(estimated: u64, actual: u64, tokens in 0u64..1 << 40) {
            let ratio = Ratio::between(Tokens::new(estimated), Tokens::new(actual));
            prop_assert!((Ratio::LEAST..=Ratio::MOST).contains(&ratio));
            let applied = ratio.apply(Tokens::new(tokens));
            prop_assert!(applied.get() >= tokens / 4 && applied.get() <= tokens.saturating_mul(4));
            prop_assert!(ratio.undo(applied).get().abs_diff(tokens) <= 4);
        }
    }
}
