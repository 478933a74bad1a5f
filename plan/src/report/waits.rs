//! How long requests waited.

use crate::replay::Replay;
use crate::workload::Workload;
use serde::Serialize;
use smoother_core::{Millis, Priority};

/// The value below or at which `percent` of the sorted ones are: the nearest rank.
pub(crate) fn quantile<T: Copy>(sorted: &[T], percent: f64) -> Option<T> {
    let rank = crate::round::whole((percent / 100.0 * sorted.len() as f64).ceil());
    let place = usize::try_from(rank.max(1) - 1).unwrap_or(usize::MAX);
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

/// Waits in milliseconds, of requests whose call has started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Waits {
    /// How many.
    pub started: u64,
    /// Their mean.
    pub mean_ms: u64,
    /// Half waited no longer.
    pub p50_ms: u64,
    /// 95 % waited no longer.
    pub p95_ms: u64,
    /// 99 % waited no longer.
    pub p99_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

impl Waits {
    /// Of these.
    pub fn of(mut waits: Vec<Millis>) -> Self {
        waits.sort_unstable();
        let at = |percent| quantile(&waits, percent).unwrap_or(Millis::ZERO).get();
        let sum: Millis = waits.iter().copied().sum();
        Self {
            started: waits.len() as u64,
            mean_ms: sum.get() / (waits.len() as u64).max(1),
            p50_ms: at(50.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms: at(100.0),
        }
    }
}

/// The waits of a band, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// A priority, or `all`.
    pub band: &'static str,
    /// Its requests.
    pub requests: u64,
    /// Their waits.
    #[serde(flatten)]
    pub waits: Waits,
}

impl Band {
    /// Each band that has requests, and all of them.
    pub(super) fn all_of(workload: &Workload, replay: &Replay) -> Vec<Self> {
        let of = |name, only: Option<Priority>| {
            let pairs = workload.jobs().iter().zip(&replay.fates);
            let mine = pairs.filter(|(job, _)| only.is_none_or(|band| band == job.priority));
            let (mut requests, mut waits) = (0, Vec::new());
            for (job, fate) in mine {
                requests += 1;
                waits.extend(fate.started.map(|at| at.since(job.arrived)));
            }
            Self {
                band: name,
                requests,
                waits: Waits::of(waits),
            }
        };
        let bands = Priority::ALL
            .into_iter()
            .map(|band| of(band.as_str(), Some(band)));
        let mut all: Vec<Self> = bands.filter(|band| band.requests > 0).collect();
        all.push(of("all", None));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_of_its_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 95.0), Some(95));
        assert_eq!(quantile(&hundred, 100.0), Some(100));
        assert_eq!(quantile(&[7, 8, 9], 50.0), Some(8));
        assert_eq!(quantile(&[7], 0.0), Some(7));
        assert_eq!(quantile::<u64>(&[], 50.0), None);
    }

    #[test]
    fn waits_are_summed_up() {
        let waits = Waits::of([30, 10, 20].map(Millis::new).to_vec());
        assert_eq!(
            (waits.started, waits.mean_ms, waits.p50_ms, waits.max_ms),
            (3, 20, 20, 30)
        );
        assert_eq!(Waits::of(Vec::new()), Waits::default());
    }
}
