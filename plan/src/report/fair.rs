//! Jain's index over the minutes in which tenants really competed.
//!
//! Over a whole replay everyone is served in the end, so shares say nothing. They do in a minute through which a tenant
//! always had something waiting: then what it started was up to the scheduler. Source of the index: Jain, Chiu, Hawe,
//! "A Quantitative Measure of Fairness and Discrimination", DEC-TR-301, 1984.

use crate::replay::{Replay, Setup};
use crate::round::hundredths;
use crate::workload::Workload;
use smoother_core::{Priority, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: u64 = 60_000;

type Flow<'a> = (Priority, &'a TenantId);

/// The mean over minutes and bands of the index of those that waited throughout; `None` where no two did.
pub(super) fn jain(workload: &Workload, setup: &Setup, replay: &Replay) -> Option<f64> {
    let minute = |at: Timestamp| at.since(workload.begins()).get() / MINUTE;
    let mut waiting: BTreeMap<Flow, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    for (job, fate) in workload.jobs().iter().zip(&replay.fates) {
        let until = fate.started.or(fate.ended).unwrap_or(replay.ended);
        waiting
            .entry((job.priority, &job.tenant))
            .or_default()
            .push((job.arrived, until));
    }
    let mut served: BTreeMap<(u64, Flow), f64> = BTreeMap::new();
    for call in &replay.calls {
        if let Some(job) = workload.jobs().get(call.job) {
            let key = (minute(call.start), (job.priority, &job.tenant));
            *served.entry(key).or_default() += call.cost.get() as f64;
        }
    }
    let mut competing: BTreeMap<(u64, Priority), BTreeSet<&TenantId>> = BTreeMap::new();
    for ((band, tenant), spans) in waiting {
        for whole in whole_minutes(spans, workload.begins()) {
            competing.entry((whole, band)).or_default().insert(tenant);
        }
    }
    let (mut sum, mut count) = (0.0, 0u32);
    for ((at, band), tenants) in competing.into_iter().filter(|(_, tenants)| tenants.len() > 1) {
        let parts = tenants.into_iter().map(|tenant| {
            let tokens = served.get(&(at, (band, tenant))).copied().unwrap_or(0.0);
            let weight = setup.scheduler.tenants.get(tenant).copied().unwrap_or(1);
            tokens / f64::from(weight.max(1))
        });
        if let Some(index) = index(parts) {
            sum += index;
            count += 1;
        }
    }
    (count > 0).then(|| hundredths(sum / f64::from(count)))
}

/// (Σx)² / (n Σx²); nothing where nobody got anything.
fn index(parts: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for part in parts {
        n += 1.0;
        sum += part;
        squares += part * part;
    }
    (squares > 0.0).then(|| sum * sum / (n * squares))
}

/// Minutes since `begins` that the spans, in order of their beginnings, cover without a gap.
fn whole_minutes(spans: Vec<(Timestamp, Timestamp)>, begins: Timestamp) -> Vec<u64> {
    let mut found = Vec::new();
    let mut add = |from: Timestamp, to: Timestamp| {
        let first = from.since(begins).get().div_ceil(MINUTE);
        let end = to.since(begins).get() / MINUTE;
        found.extend(first..end.max(first));
    };
    let mut open: Option<(Timestamp, Timestamp)> = None;
    for (from, to) in spans {
        open = match open {
            Some((start, end)) if from <= end => Some((start, end.max(to))),
            Some((start, end)) => {
                add(start, end);
                Some((from, to))
            }
            None => Some((from, to)),
        };
    }
    if let Some((start, end)) = open {
        add(start, end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_1_for_equals_and_1_of_n_for_one_who_takes_all() {
        assert_eq!(index([3.0, 3.0, 3.0].into_iter()), Some(1.0));
        assert_eq!(index([5.0, 0.0, 0.0, 0.0].into_iter()), Some(0.25));
        assert_eq!(index([0.0].into_iter()), None);
    }

    #[test]
    fn a_minute_counts_that_is_covered_without_a_gap() {
        let at = |s: u64| Timestamp::from_millis(1_000_000 + s * 1_000);
        let spans = vec![(at(30), at(90)), (at(80), at(185)), (at(200), at(300))];
        // 60 to 180 by two that overlap; 240 to 300 by the last.
        assert_eq!(whole_minutes(spans, at(0)), [1, 2, 4]);
    }
}
