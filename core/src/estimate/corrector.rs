//! What each model's calls teach about the estimate of their input.
//!
//! A request's row holds the corrected estimate only, and by the time its call is over the correction may have
//! moved on. Learning from the corrected number as if it were the raw one would feed the correction back into
//! itself: a backlog estimated under the old factor would push the new one further with every call. So the factor
//! in force moves in steps, each with its time, and an observation is undone by the step its request came under.

use super::average::Average;
use super::ratio::Ratio;
use crate::ids::ModelId;
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Steps remembered per model.
const STEPS: usize = 32;
/// A smaller change of the factor is no step, in percent; and soon after the last step, no smaller than the other, but
/// whenever twice as many calls were seen: the first call's noise is not to stand for a minute. Together they let the
/// remembered steps reach back past the noise of single calls.
const STEP_PERCENT: u64 = 2;
const EARLY_STEP_PERCENT: u64 = 10;
const SOON: Millis = Millis::from_secs(60);
/// One relative error counts as at most this, so that one absurd estimate does not drown the mean.
const WORST_PPM: u64 = 10_000_000;

/// Learned factors between estimated and actual input tokens, by model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Corrector {
    models: BTreeMap<ModelId, Learned>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Learned {
    /// Actual over raw estimate, in millionths.
    average: Average,
    /// The factors that were in force, oldest first.
    steps: Vec<Step>,
    stats: ErrorStats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    since: Timestamp,
    ratio: Ratio,
}

/// How far the estimates that were given out have been from what Bedrock counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorStats {
    count: u64,
    sum_ppm: u64,
}

impl ErrorStats {
    /// How many estimates were compared.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean of |estimated − actual| / actual, in millionths; `None` where nothing was compared.
    pub const fn mean_relative_error_ppm(&self) -> Option<u64> {
        self.sum_ppm.checked_div(self.count)
    }

    fn updated(self, estimated: Tokens, actual: Tokens) -> Self {
        let off = u128::from(estimated.get().abs_diff(actual.get())) * 1_000_000;
        let ppm = off / u128::from(actual.get().max(1));
        Self {
            count: self.count.saturating_add(1),
            sum_ppm: self
                .sum_ppm
                .saturating_add(u64::try_from(ppm).unwrap_or(u64::MAX).min(WORST_PPM)),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum_ppm: self.sum_ppm.saturating_add(other.sum_ppm),
        }
    }
}

impl Corrector {
    /// The estimate of `model`'s input to reckon with, made of the `raw` one.
    pub fn correct(&self, model: &ModelId, raw: Tokens) -> Tokens {
        self.ratio(model).apply(raw)
    }

    /// The factor in force for a model.
    pub fn ratio(&self, model: &ModelId) -> Ratio {
        self.models.get(model).map_or(Ratio::ONE, Learned::in_force)
    }

    /// Learns from a finished call: its request came at `arrived_at` with the corrected estimate `estimated`, and
    /// Bedrock counted `actual` (cache reads and writes included). Calls without input teach nothing.
    pub fn observe(
        &mut self,
        model: &ModelId,
        estimated: Tokens,
        arrived_at: Timestamp,
        actual: Tokens,
        now: Timestamp,
    ) {
        if estimated == Tokens::ZERO || actual == Tokens::ZERO {
            return;
        }
        self.models
            .entry(model.clone())
            .or_default()
            .observe(estimated, arrived_at, actual, now);
    }

    /// One model's errors so far.
    pub fn errors_of(&self, model: &ModelId) -> ErrorStats {
        self.models
            .get(model)
            .map(|learned| learned.stats)
            .unwrap_or_default()
    }

    /// All models' errors so far.
    pub fn errors(&self) -> ErrorStats {
        self.models
            .values()
            .fold(ErrorStats::default(), |sum, learned| sum.plus(learned.stats))
    }
}

impl Learned {
    fn in_force(&self) -> Ratio {
        self.steps.last().map_or(Ratio::ONE, |step| step.ratio)
    }

    /// The factor a request of that time was estimated with.
    fn at(&self, moment: Timestamp) -> Ratio {
        let before = self.steps.iter().rev().find(|step| step.since <= moment);
        match (before, self.steps.first()) {
            (Some(step), _) => step.ratio,
            // Older than what is remembered: the oldest is nearest.
            (None, Some(oldest)) if self.steps.len() == STEPS => oldest.ratio,
            (None, _) => Ratio::ONE,
        }
    }

    fn observe(&mut self, estimated: Tokens, arrived_at: Timestamp, actual: Tokens, now: Timestamp) {
        self.stats = self.stats.updated(estimated, actual);
        let raw = self.at(arrived_at).undo(estimated).max(Tokens::new(1));
        self.average = self.average.updated(Ratio::between(raw, actual).ppm());
        let learned = Ratio::from_ppm(self.average.mean().unwrap_or(Ratio::ONE.ppm()));
        let percent = match self.steps.last() {
            Some(step) if now.since(step.since) < SOON && !self.average.samples().is_power_of_two() => {
                EARLY_STEP_PERCENT
            }
            _ => STEP_PERCENT,
        };
        if self.in_force().differs(learned, percent) {
            if self.steps.len() == STEPS {
                self.steps.remove(0);
            }
            self.steps.push(Step {
                since: now,
                ratio: learned,
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model() -> ModelId {
        ModelId::new("anthropic.claude").unwrap()
    }

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Calls of 1,000 raw tokens that turn out as `actual`, one at a time.
    fn taught(calls: u64, actual: u64) -> Corrector {
        let mut corrector = Corrector::default();
        for n in 1..=calls {
            let estimated = corrector.correct(&model(), Tokens::new(1_000));
            corrector.observe(
                &model(),
                estimated,
                at(10 * n),
                Tokens::new(actual),
                at(10 * n + 5),
            );
        }
        corrector
    }

    #[test]
    fn an_estimate_comes_near_what_calls_use() {
        assert_eq!(
            Corrector::default().correct(&model(), Tokens::new(1_000)),
            Tokens::new(1_000)
        );
        for actual in [400, 1_000, 1_300, 3_000] {
            let corrected = taught(30, actual).correct(&model(), Tokens::new(1_000)).get();
            assert!(
                corrected.abs_diff(actual) <= actual / 40,
                "{corrected} for {actual}"
            );
        }
    }

    #[test]
    fn a_backlog_estimated_under_an_old_factor_does_not_overshoot() {
        let mut corrector = taught(1, 2_000);
        for n in 0..500 {
            // All came before anything was learned, at the raw 1,000, and all turn out as 2,000.
            corrector.observe(
                &model(),
                Tokens::new(1_000),
                at(5),
                Tokens::new(2_000),
                at(1_000 + n),
            );
        }
        assert_eq!(
            corrector.correct(&model(), Tokens::new(1_000)),
            Tokens::new(2_000)
        );
    }

    #[test]
    fn what_the_first_call_said_does_not_stand_for_a_minute() {
        let mut corrector = Corrector::default();
        for n in 0..64 {
            // The first is a tenth off, all others are as they were estimated.
            let actual = if n == 0 { 1_090 } else { 1_000 };
            corrector.observe(
                &model(),
                Tokens::new(1_000),
                at(0),
                Tokens::new(actual),
                at(1_000 + n),
            );
        }
        let off = corrector
            .correct(&model(), Tokens::new(1_000))
            .get()
            .abs_diff(1_000);
        assert!(off <= 20, "{off}");
        assert!(corrector.models[&model()].steps.len() <= 7);
    }

    #[test]
    fn errors_are_those_of_the_estimates_given_out() {
        let corrector = taught(2, 2_000);
        assert_eq!(corrector.errors().count(), 2);
        // Half off at first, right afterwards.
        assert_eq!(
            corrector.errors_of(&model()).mean_relative_error_ppm(),
            Some(250_000)
        );
        assert_eq!(ErrorStats::default().mean_relative_error_ppm(), None);
    }

    #[test]
    fn what_was_learned_survives_being_stored() {
        let corrector = taught(20, 1_700);
        let stored = serde_json::to_string(&corrector).unwrap();
        assert_eq!(serde_json::from_str::<Corrector>(&stored).unwrap(), corrector);
    }

    proptest! {
        #[test]
        fn no_history_takes_a_factor_out_of_its_bounds(
            calls in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..80),
            raw in 0u64..1 << 40,
        ) {
            let mut corrector = Corrector::default();
            for (n, (estimated, arrived, actual)) in (0u64..).zip(calls) {
                corrector.observe(&model(), Tokens::new(estimated), at(arrived), Tokens::new(actual), at(n));
                let ratio = corrector.ratio(&model());
                prop_assert!((Ratio::LEAST..=Ratio::MOST).contains(&ratio));
            }
            let corrected = corrector.correct(&model(), Tokens::new(raw)).get();
            prop_assert!(corrected >= raw / 4 && corrected <= raw * 4);
        }
    }
}
