//! How far starts were from what was estimated, out of a histogram's buckets: late is above nothing, early below.

use std::collections::BTreeMap;

/// Counts up to bounds, each side by itself, bounds in microseconds so that they have an order.
#[derive(Debug, Clone, Default)]
pub(in crate::measure) struct Starts {
    late: BTreeMap<u64, f64>,
    early: BTreeMap<u64, f64>,
}

/// A bucket: its ends in seconds, and how many are in it.
type Bucket = (f64, f64, f64);

impl Starts {
    /// So many were off by at most `bound` seconds on this side.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, as is meant: the last bound is endless.
    pub(super) fn add(&mut self, late: bool, bound: f64, up_to: f64) {
        let side = if late { &mut self.late } else { &mut self.early };
        *side.entry((bound * 1e6) as u64).or_default() += up_to;
    }

    /// With those of another run.
    pub(in crate::measure) fn merge(&mut self, other: &Self) {
        for (side, others) in [(&mut self.late, &other.late), (&mut self.early, &other.early)] {
            for (bound, count) in others {
                *side.entry(*bound).or_default() += count;
            }
        }
    }

    /// Requests that had to wait and have started.
    pub(in crate::measure) fn count(&self) -> f64 {
        let all = |side: &BTreeMap<u64, f64>| side.last_key_value().map_or(0.0, |(_, count)| *count);
        all(&self.late) + all(&self.early)
    }

    /// The share that was at most so many seconds late.
    pub(in crate::measure) fn at_most(&self, seconds: f64) -> Option<f64> {
        let count = self.count();
        let below: f64 = self
            .buckets()
            .iter()
            .map(|(from, to, count)| count * ((seconds - from) / (to - from).max(1e-9)).clamp(0.0, 1.0))
            .sum();
        (count > 0.0).then(|| below / count)
    }

    /// The lateness in seconds that so large a share does not exceed; evenly spread within a bucket.
    pub(in crate::measure) fn quantile(&self, share: f64) -> Option<f64> {
        let mut left = share * self.count();
        let buckets = self.buckets();
        for (from, to, count) in &buckets {
            if left <= *count {
                return Some(from + (to - from) * left / count);
            }
            left -= count;
        }
        buckets.last().map(|(_, to, _)| *to)
    }

    /// All that hold any, the earliest first. The last of a side ends where it begins.
    fn buckets(&self) -> Vec<Bucket> {
        let of = |side: &BTreeMap<u64, f64>| {
            let mut before = (0.0, 0.0);
            let mut buckets = Vec::new();
            for (bound, up_to) in side {
                let to = if *bound == u64::MAX {
                    before.0
                } else {
                    *bound as f64 / 1e6
                };
                buckets.push((before.0, to, up_to - before.1));
                before = (to, *up_to);
            }
            buckets
        };
        let early = of(&self.early)
            .into_iter()
            .rev()
            .map(|(from, to, count)| (-to, -from, count));
        let mut all: Vec<Bucket> = early.chain(of(&self.late)).collect();
        all.retain(|(_, _, count)| *count > 0.0);
        all
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// 2 early by up to 1 s, 4 late by up to 1 s, 2 by 1 to 5 s, 2 by more.
    fn starts() -> Starts {
        let mut starts = Starts::default();
        for (late, bound, up_to) in [
            (false, 1.0, 2.0),
            (false, f64::INFINITY, 2.0),
            (true, 1.0, 4.0),
            (true, 5.0, 6.0),
            (true, f64::INFINITY, 8.0),
        ] {
            starts.add(late, bound, up_to);
        }
        starts
    }

    #[test]
    fn quantiles_run_from_early_to_late() {
        let starts = starts();
        let at = |share| starts.quantile(share).unwrap();
        assert_eq!(starts.count(), 10.0);
        assert_eq!(
            (at(0.1), at(0.2), at(0.4), at(0.7), at(0.9)),
            (-0.5, 0.0, 0.5, 3.0, 5.0)
        );
        assert_eq!(starts.at_most(1.0), Some(0.6));
        assert_eq!(starts.at_most(-1.0), Some(0.0));
        assert_eq!(Starts::default().at_most(1.0), None);
        assert_eq!(Starts::default().quantile(0.5), None);
    }

    #[test]
    fn runs_add_up() {
        let mut both = starts();
        both.merge(&starts());
        assert_eq!((both.count(), both.quantile(0.7)), (20.0, Some(3.0)));
    }
}
