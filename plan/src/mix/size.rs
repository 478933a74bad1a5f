//! How large requests are, and how long answers.

use crate::round::whole;
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Exp, LogNormal};
use serde::Deserialize;
use smoother_core::Tokens;

/// Above every model's context.
const MOST: f64 = 10_000_000.0;
/// The standard normal's 99th percentile.
const Z99: f64 = 2.326_347_874;

/// A number of tokens, or how it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a number of tokens, { from, to }, { mean } or { p50, p99 }"
)]
pub enum Size {
    /// Always the same.
    Exactly(u32),
    /// Each number between, both ends included, as often.
    Between {
        /// The least.
        from: u32,
        /// The most.
        to: u32,
    },
    /// Exponential: many short, a few long.
    About {
        /// The mean.
        mean: f64,
    },
    /// Log-normal, as recorded traces nearly are.
    Spread {
        /// Half are below.
        p50: f64,
        /// 99 % are below.
        p99: f64,
    },
}

impl Size {
    pub(super) fn check(&self, what: &str) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{what}: {why}"));
        match *self {
            Self::Between { from, to } if from > to => wrong("from is above to"),
            Self::About { mean } if !(0.0..=MOST).contains(&mean) => wrong("mean is a number from 0"),
            Self::Spread { p50, p99 } if !(p50 >= 1.0 && p99 >= p50 && p99 <= MOST) => {
                wrong("p50 is at least 1, and p99 at least p50")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn draw(&self, dice: &mut StdRng) -> Tokens {
        let drawn = match *self {
            Self::Exactly(tokens) => f64::from(tokens),
            Self::Between { from, to } => f64::from(dice.random_range(from..=to.max(from))),
            Self::About { mean } => Exp::new(1.0).map_or(mean, |exp| dice.sample::<f64, _>(exp) * mean),
            Self::Spread { p50, p99 } => {
                let (center, spread) = (p50.ln(), (p99 / p50).ln() / Z99);
                LogNormal::new(center, spread).map_or(p50, |log_normal| dice.sample(log_normal))
            }
        };
        Tokens::new(whole(drawn.min(MOST)))
    }
}
