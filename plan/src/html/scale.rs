//! From values to places on a plot, and the marks beside it.

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly from 0.
    Linear { most: f64 },
    /// By powers of ten; what is below `least` lies at its beginning.
    Log { least: f64, most: f64 },
}

impl Scale {
    /// From 0 to at least the largest value, ending on a round number.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max).max(1e-3);
        let step = step(most);
        Self::Linear {
            most: (most / step).ceil() * step,
        }
    }

    /// From 0 to the largest value itself.
    pub(super) fn exact(values: impl Iterator<Item = f64>) -> Self {
        Self::Linear {
            most: values.fold(1e-3, f64::max),
        }
    }

    pub(super) fn log(least: f64, values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(least * 10.0, f64::max);
        Self::Log {
            least,
            most: 10f64.powf(most.log10().ceil()),
        }
    }

    /// 0 at the axis' beginning, 1 at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        match *self {
            Self::Linear { most } => value / most,
            Self::Log { least, most } => (value.max(least) / least).ln() / (most / least).ln(),
        }
    }

    /// Round values to be marked.
    pub(super) fn marks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { most } => {
                let step = step(most);
                let count = crate::round::whole((most / step * 1.000_001).floor());
                (0..=count).map(|n| n as f64 * step).collect()
            }
            Self::Log { least, most } => {
                let mut marks = vec![least];
                while let Some(next) = marks
                    .last()
                    .map(|last| last * 10.0)
                    .filter(|next| *next <= most * 1.001)
                {
                    marks.push(next);
                }
                marks
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, four to eight of which reach `most`.
fn step(most: f64) -> f64 {
    let rough = most / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|times| times * power >= rough * 0.999);
    times.unwrap_or(10.0) * power
}

/// A mark as short as can be: `0.5`, `250`, `1.2K`, `3M`.
pub(super) fn short(value: f64) -> String {
    let cut = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value {
        v if v >= 1e6 => format!("{}M", cut(v / 1e6)),
        v if v >= 1e4 => format!("{}K", cut(v / 1e3)),
        v => cut(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_on_a_round_number_and_has_a_few_marks() {
        for (most, end, marks) in [
            (58.0, 60.0, 4),
            (7.3, 8.0, 5),
            (936_000.0, 1_000_000.0, 6),
            (0.9, 1.0, 6),
        ] {
            let scale = Scale::linear([1e-9, most].into_iter());
            let Scale::Linear { most: found } = scale else {
                panic!("{scale:?}")
            };
            assert!((found - end).abs() < end * 1e-9, "{most}: {found}");
            assert_eq!(scale.marks().len(), marks, "{most}");
        }
    }

    #[test]
    fn an_exact_axis_marks_nothing_beyond_its_end() {
        assert_eq!(Scale::exact([10.2, 3.0].into_iter()).marks(), [0.0, 5.0, 10.0]);
    }

    #[test]
    fn powers_of_ten_lie_evenly() {
        let scale = Scale::log(0.01, [7.0].into_iter());
        assert_eq!(scale.marks().len(), 4);
        assert!((scale.place(0.1) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!((scale.place(0.0), scale.place(10.0)), (0.0, 1.0));
    }

    #[test]
    fn marks_are_short() {
        assert_eq!(
            [0.0, 0.5, 250.0, 12_000.0, 1_250_000.0].map(short),
            ["0", "0.5", "250", "12K", "1.25M"]
        );
    }
}
