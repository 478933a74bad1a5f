//! What a smoother tells of itself, as its `/metrics` has it. Another target tells nothing.

mod starts;

use std::collections::BTreeMap;

use crate::driver::Stand;
pub(super) use starts::Starts;

/// What it has told of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Mean error of its estimates of inputs.
    pub(super) estimate_error: Option<f64>,
    /// How good its estimated starts were, by priority.
    pub(super) starts: BTreeMap<String, Starts>,
    /// Answers to calls that went with a smaller max_tokens than their callers'.
    pub(super) right_sized: f64,
    /// Those of them that it cut short, so that they were made again.
    pub(super) reruns: f64,
}

impl Told {
    /// By the target that stands there.
    pub(super) async fn by(stand: &Stand<'_>) -> anyhow::Result<Self> {
        let text = stand.metrics().await?;
        Ok(text.map_or_else(Self::default, |text| Self::of(&String::from_utf8_lossy(&text))))
    }

    fn of(text: &str) -> Self {
        let lines: Vec<Line<'_>> = text.lines().filter_map(Line::of).collect();
        let total = |name: &str| -> f64 {
            lines
                .iter()
                .filter(|line| line.name == name)
                .map(|line| line.value)
                .sum()
        };
        let estimates = total("smoother_estimate_error_ratio_count");
        let mut starts: BTreeMap<String, Starts> = BTreeMap::new();
        let buckets = lines
            .iter()
            .filter(|line| line.name == "smoother_start_error_seconds_bucket");
        for line in buckets {
            let (Some(priority), Some(side), Some(bound)) =
                (line.label("priority"), line.label("side"), line.label("le"))
            else {
                continue;
            };
            let starts = starts.entry(priority.to_owned()).or_default();
            starts.add(side == "late", bound.parse().unwrap_or(f64::INFINITY), line.value);
        }
        Self {
            estimate_error: (estimates > 0.0).then(|| total("smoother_estimate_error_ratio_sum") / estimates),
            starts,
            right_sized: total("smoother_right_sized_answers_total"),
            reruns: total("smoother_right_size_reruns_total"),
        }
    }
}

/// A sample in Prometheus' text form. No label's value here holds a comma or a quote.
struct Line<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (sample, value) = line.rsplit_once(' ')?;
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        Some(Self {
            name,
            labels: labels.trim_end_matches('}'),
            value: value.parse().ok()?,
        })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        let mut labels = self.labels.split(',').filter_map(|label| label.split_once('='));
        let (_, value) = labels.find(|(found, _)| *found == name)?;
        Some(value.trim_matches('"'))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_all_lanes_and_starts_by_priority() {
        let told = Told::of(
            "# HELP smoother_right_size_reruns_total Answers.\n\
             smoother_right_sized_answers_total{lane=\"a\"} 30\n\
             smoother_right_sized_answers_total{lane=\"b\"} 70\n\
             smoother_right_size_reruns_total{lane=\"a\"} 1\n\
             smoother_estimate_error_ratio_sum{lane=\"a\"} 0.5\n\
             smoother_estimate_error_ratio_count{lane=\"a\"} 10\n\
             smoother_start_error_seconds_bucket{lane=\"a\",priority=\"batch\",side=\"late\",le=\"1\"} 3\n\
             smoother_start_error_seconds_bucket{lane=\"a\",priority=\"batch\",side=\"late\",le=\"+Inf\"} 4\n\
             smoother_start_error_seconds_bucket{lane=\"a\",priority=\"normal\",side=\"early\",le=\"1\"} 2\n",
        );
        assert_eq!(
            (told.right_sized, told.reruns, told.estimate_error),
            (100.0, 1.0, Some(0.05))
        );
        let counts: Vec<(&str, f64)> = told
            .starts
            .iter()
            .map(|(priority, starts)| (priority.as_str(), starts.count()))
            .collect();
        assert_eq!(counts, [("batch", 4.0), ("normal", 2.0)]);
        assert_eq!(Told::of("no metrics\n").estimate_error, None);
    }
}
