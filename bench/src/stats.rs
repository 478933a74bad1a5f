//! Figures of a sample.

/// A sorted sample.
#[derive(Debug, Clone, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Of any values; not-a-number is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The quantile of so many thousandths, by nearest rank; none of an empty sample.
    pub fn permille(&self, thousandths: usize) -> Option<f64> {
        let rank = (self.0.len() * thousandths).div_ceil(1000);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The arithmetic mean; none of an empty sample.
    pub fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// The smallest and largest value.
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample_by_nearest_rank() {
        let sample = Sample::of((1..=100).map(f64::from));
        assert_eq!(sample.permille(500), Some(50.0));
        assert_eq!(sample.permille(990), Some(99.0));
        assert_eq!(sample.permille(1000), Some(100.0));
        assert_eq!(sample.permille(0), Some(1.0));
        assert_eq!(Sample::default().permille(500), None);
    }

    #[test]
    fn mean_and_range() {
        let sample = Sample::of([3.0, 1.0, f64::NAN, 2.0]);
        assert_eq!(sample.mean(), Some(2.0));
        assert_eq!(sample.range(), Some((1.0, 3.0)));
        assert_eq!(sample.len(), 3);
    }
}
