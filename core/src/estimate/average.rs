//! A running average of integers that forgets.

use serde::{Deserialize, Serialize};

/// How many samples an average remembers, roughly.
const MEMORY: u64 = 16;

/// An exponentially weighted mean: the plain mean of the first samples, then each new one weighs a sixteenth.
/// Its unit is that of its samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Average {
    mean: u64,
    samples: u64,
}

impl Average {
    /// The average with one more sample.
    #[must_use]
    pub fn updated(self, sample: u64) -> Self {
        let samples = self.samples.saturating_add(1);
        let weight = samples.min(MEMORY);
        let mean = if sample >= self.mean {
            self.mean + (sample - self.mean) / weight
        } else {
            self.mean - (self.mean - sample) / weight
        };
        Self { mean, samples }
    }

    /// The mean; `None` before the first sample.
    pub const fn mean(&self) -> Option<u64> {
        if self.samples == 0 { None } else { Some(self.mean) }
    }

    /// How many samples it has seen.
    pub const fn samples(&self) -> u64 {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_samples_count_alike_and_old_ones_fade() {
        let first = Average::default().updated(1_000).updated(3_000);
        assert_eq!(first.mean(), Some(2_000));
        let later = (0..200).fold(first, |average, _| average.updated(10_000));
        assert!(later.mean().is_some_and(|mean| mean > 9_900), "{later:?}");
    }

    proptest! {
        #[test]
        fn a_mean_lies_between_its_samples(samples in proptest::collection::vec(any::<u64>(), 1..100)) {
            let average = samples.iter().fold(Average::default(), |a, s| a.updated(*s));
            let mean = average.mean().unwrap_or_default();
            prop_assert!(samples.iter().any(|s| *s <= mean) && samples.iter().any(|s| *s >= mean));
        }
    }
}
