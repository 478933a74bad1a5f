//! When latency is normal again.

use super::phases::Timed;
use crate::plan::Outcome;
use crate::stats::Sample;

const SECOND_US: u64 = 1_000_000;

fn seconds<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Sample {
    Sample::of(outcomes.map(|one| one.latency_us as f64 / 1e6))
}

/// The p99 of interactive calls, in seconds.
pub(super) fn usual<'a>(calm: impl Iterator<Item = &'a Outcome>) -> f64 {
    let interactive = calm.filter(|one| one.class == "interactive");
    seconds(interactive).permille(990).unwrap_or_default()
}

/// The end of the last second in which the p95 of interactive calls was above twice `usual`, in seconds after the
/// phase's beginning; none where its very last second was such a one.
pub(super) fn normal_again<'a>(
    outcomes: impl Iterator<Item = &'a Outcome>,
    phase: &Timed,
    usual: f64,
) -> Option<f64> {
    let mut by_second: Vec<Vec<&Outcome>> = Vec::new();
    for one in outcomes.filter(|one| one.class == "interactive") {
        let second = usize::try_from((one.due_us - phase.from_ms * 1_000) / SECOND_US).ok()?;
        if by_second.len() <= second {
            by_second.resize(second + 1, Vec::new());
        }
        by_second[second].push(one);
    }
    let late = |second: &Vec<&Outcome>| {
        let p95 = seconds(second.iter().copied()).permille(950);
        second.iter().any(|one| one.error.is_some()) || p95.is_some_and(|p95| p95 > 2.0 * usual)
    };
    let bad = by_second.iter().rposition(late).map_or(0, |last| last + 1);
    (bad < by_second.len()).then_some(bad as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(due_ms: u64, latency_ms: u64) -> Outcome {
        Outcome {
            class: "interactive".to_owned(),
            due_us: due_ms * 1_000,
            latency_us: latency_ms * 1_000,
            ..Outcome::default()
        }
    }

    fn phase() -> Timed {
        Timed {
            name: "well".to_owned(),
            from_ms: 10_000,
            until_ms: 20_000,
            well: true,
        }
    }

    #[test]
    fn the_last_late_second_counts() {
        let mut all: Vec<Outcome> = (0..100).map(|n| one(10_000 + n * 100, 300)).collect();
        assert_eq!(normal_again(all.iter(), &phase(), 0.3), Some(0.0));
        for call in &mut all[30..40] {
            call.latency_us = 700_000;
        }
        assert_eq!(normal_again(all.iter(), &phase(), 0.3), Some(4.0));
        all[55].error = Some("gone".to_owned());
        assert_eq!(normal_again(all.iter(), &phase(), 0.3), Some(6.0));
        all[99].latency_us = 700_000;
        assert_eq!(normal_again(all.iter(), &phase(), 0.3), None);
    }

    #[test]
    fn what_is_usual_is_the_calm_p99_of_interactive_calls() {
        let mut calm: Vec<Outcome> = (1..=100).map(|n| one(0, n * 1_000)).collect();
        calm[99].class = "batch".to_owned();
        assert_eq!(usual(calm.iter()), 99.0);
    }
}
