//! How small a max_tokens still lets nearly every answer through.
//!
//! Bedrock reserves max_tokens for as long as a call runs, so a caller that allows 64,000 and gets 600 keeps the
//! quota from a hundred others. The right size is a high quantile of what answers were, and a margin. An answer that is
//! longer all the same is cut short and made again with the caller's own value, which costs a call: [`Trial`] counts
//! those and takes the next rung as soon as they are more than 1.5 % of a caller's last calls.
//!
//! The figures come from replaying three recorded traces (Azure 2023 conversation and code, ServeGen): with these
//! rungs 0.3 to 0.6 % of the answers are cut short, 1.2 % for the worst client with more than 400 calls.

use super::lengths::Lengths;
use crate::units::Tokens;
use serde::{Deserialize, Serialize};

/// Answers from which on quantiles are trusted.
pub(super) const ENOUGH: u64 = 200;
/// Answers from which on their longest is a hint.
const SOME: u64 = 32;
/// With few answers known, so many times their longest.
const FEW_TIMES: u64 = 4;
/// Sizes are multiples of this.
const STEP: u64 = 64;
/// Calls that a trial looks back on.
const LOOK: u32 = 200;
/// Answers cut short of these that are not too many: 1.5 %.
const ALLOWED: u32 = 3;
/// Looks in a row with at most one answer cut short before the rung below is tried again.
const CALM: u32 = 4;

/// The answers to let through, in thousandths, and the margin on top of their length, in eighths.
const RUNGS: [(u16, u64); 4] = [(990, 1), (995, 2), (999, 4), (1_000, 8)];

/// How often a caller's right-sized answers were cut short lately, and what it comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    rung: usize,
    sent: u32,
    cut: u32,
    calm: u32,
}

impl Trial {
    /// With one more answer to a call that was sent right-sized.
    #[must_use]
    pub fn updated(self, cut_short: bool) -> Self {
        let (sent, cut) = (self.sent + 1, self.cut + u32::from(cut_short));
        let looking = Self { sent, cut, ..self };
        if cut > ALLOWED {
            return Self {
                rung: (self.rung + 1).min(RUNGS.len() - 1),
                ..Self::default()
            };
        }
        if sent < LOOK {
            return looking;
        }
        let calm = if cut <= 1 { self.calm + 1 } else { 0 };
        if calm == CALM {
            return Self {
                rung: self.rung.saturating_sub(1),
                ..Self::default()
            };
        }
        Self {
            rung: self.rung,
            calm,
            ..Self::default()
        }
    }
}

/// The max_tokens for a caller whose answers were so long, before its own is looked at; `None` while too few are known.
pub(super) fn right_size(lengths: &Lengths, trial: Trial) -> Option<Tokens> {
    let (permille, eighths) = RUNGS[trial.rung.min(RUNGS.len() - 1)];
    let [most, longest] = lengths.within([permille, 1_000])?;
    let size = match lengths.samples() {
        ENOUGH.. => most.get().saturating_mul(8 + eighths).div_ceil(8),
        SOME.. => longest.times(FEW_TIMES).get(),
        _ => return None,
    };
    Some(Tokens::new(size.div_ceil(STEP).saturating_mul(STEP)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::units::Timestamp;
    use proptest::prelude::*;

    fn lengths(all: impl IntoIterator<Item = u64>) -> Lengths {
        let mut lengths = Lengths::default();
        for one in all {
            lengths.observe(Tokens::new(one), Timestamp::from_millis(7));
        }
        lengths
    }

    fn after(trial: Trial, answers: u32, every: u32) -> Trial {
        (1..=answers).fold(trial, |trial, n| trial.updated(every > 0 && n % every == 0))
    }

    #[test]
    fn a_size_waits_for_answers_and_comes_down_with_them() {
        let of = |count: usize| right_size(&lengths((1..=100).cycle().take(count)), Trial::default());
        assert_eq!(of(31), None);
        assert_eq!(of(32), Some(Tokens::new(128)), "four times the longest");
        assert_eq!(of(199), Some(Tokens::new(448)));
        assert_eq!(of(400), Some(Tokens::new(128)), "99 and an eighth");
    }

    #[test]
    fn too_many_answers_cut_short_raise_the_size_at_once() {
        let known = lengths((1..=1_000).map(|n| if n % 50 == 0 { 5_000 } else { 300 }));
        let size = |trial| right_size(&known, trial).unwrap();
        let calm = after(Trial::default(), 2_000, 100);
        assert_eq!(calm, Trial::default(), "one in a hundred is as it should be");
        let raised = after(Trial::default(), 4, 1);
        assert!(size(raised) > size(Trial::default()));
        let top = after(Trial::default(), 400, 2);
        assert_eq!(size(top), Tokens::new(10_048), "twice the longest");
        assert_eq!(
            after(top, 40, 1),
            after(top, 4, 1),
            "there is no rung above the last"
        );
    }

    #[test]
    fn a_raised_size_comes_down_after_a_calm_time() {
        let raised = after(Trial::default(), 4, 1);
        assert_eq!(after(raised, 4 * LOOK - 1, 0).rung, 1);
        assert_eq!(after(raised, 4 * LOOK, 0).rung, 0);
        assert_eq!(after(raised, 40 * LOOK, 80).rung, 1, "two of 200 are no calm");
    }

    proptest! {
        #[test]
        fn a_higher_rung_is_never_a_smaller_size(all in proptest::collection::vec(1u64..60_000, 200..600)) {
            let known = lengths(all);
            let sizes: Vec<_> = (0..4)
                .map(|rung| right_size(&known, Trial { rung, ..Trial::default() }).unwrap())
                .collect();
            prop_assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", sizes);
            prop_assert!(sizes.iter().all(|size| size.get() % STEP == 0));
        }

        #[test]
        fn where_answers_are_alike_at_most_one_and_a_half_in_a_hundred_are_cut(
            seed in any::<u64>(), spread in 2u64..400,
        ) {
            // Lengths drawn evenly on a logarithmic scale: a heavy tail.
            let mut state = seed | 1;
            let mut draw = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let share = (state >> 11) as f64 / (1u64 << 53) as f64;
                10.0 * (spread as f64).powf(share)
            };
            #[allow(clippy::cast_possible_truncation)]
            let mut length = || draw() as u64 + 1;
            let (mut known, mut trial, mut cut) = (Lengths::default(), Trial::default(), 0u64);
            for n in 0..3_000u64 {
                let length = length();
                if let Some(size) = right_size(&known, trial) {
                    let short = length > size.get();
                    cut += u64::from(short);
                    trial = trial.updated(short);
                }
                known.observe(Tokens::new(length), Timestamp::from_millis(n));
            }
            prop_assert!(cut * 1_000 <= 15 * 3_000, "{} of 3000", cut);
        }
    }
}
