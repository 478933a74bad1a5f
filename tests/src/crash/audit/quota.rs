//! The simulator's log against the quota.
//!
//! A call is charged what it reserves when it is admitted, and in the end what it used, dated to its admission: the
//! count that AWS documents. `auto` pacing releases only what every known limiter admits, so whichever limiter stood
//! upstream, the sliding window over any 60 s must hold too.

use super::{Fault, Kind, THROTTLED_PERMILLE};
use crate::crash::records::{Records, Upstream};

const MINUTE_MS: u64 = 60_000;

/// Calls that the simulator's limiter refused.
pub(super) fn throttled(records: &Records) -> impl Iterator<Item = &Upstream> {
    let throttle = |up: &&Upstream| {
        let error = up.error.as_deref().unwrap_or_default();
        up.outcome == "refused" && (error.contains("Throttling") || error.contains("Too many connections"))
    };
    records.upstream.iter().filter(throttle)
}

/// The fullest minute of any model in thousandths of its quota, and what is wrong.
pub(super) fn check(records: &Records) -> (u64, Vec<Fault>) {
    let mut faults = Vec::new();
    let (refused, all) = (throttled(records).count() as u64, records.upstream.len() as u64);
    if refused * 1_000 > all * THROTTLED_PERMILLE {
        let marks: Vec<&str> = throttled(records)
            .filter_map(|up| up.mark.as_deref())
            .take(5)
            .collect();
        let what = format!("{refused} of {all} calls were throttled upstream, among them {marks:?}");
        faults.push(Fault::new(Kind::Overspent, what));
    }
    let mut fullest = 0;
    for (model, quota) in &records.quotas {
        let admitted = records
            .upstream
            .iter()
            .filter(|up| up.model == *model && !["refused", "invalid"].contains(&up.outcome.as_str()));
        let (used, at) = fullest_minute(admitted);
        fullest = fullest.max(used * 1_000 / (*quota).max(1));
        if used > *quota {
            let what = format!("{model}: {used} tokens in the minute before {at}; the quota is {quota}");
            faults.push(Fault::new(Kind::Overspent, what));
        }
    }
    (fullest, faults)
}

/// The most that counted at an admission, and when.
fn fullest_minute<'a>(calls: impl Iterator<Item = &'a Upstream>) -> (u64, u64) {
    // At one moment what leaves goes before what comes, as in the limiter.
    const LEAVES: u8 = 0;
    const SETTLES: u8 = 1;
    const COMES: u8 = 2;
    let mut steps: Vec<(u64, u8, i128)> = Vec::new();
    for call in calls {
        let (reserved, charged) = (i128::from(call.reserved), i128::from(call.charged));
        let leaves = call.arrival_ms + MINUTE_MS;
        let settled = call.end_ms.filter(|end| *end < leaves);
        steps.push((call.arrival_ms, COMES, reserved));
        steps.extend(settled.map(|end| (end.max(call.arrival_ms), SETTLES, charged - reserved)));
        steps.push((leaves, LEAVES, -settled.map_or(reserved, |_| charged)));
    }
    steps.sort_unstable();
    let (mut used, mut most, mut when) = (0_i128, 0_i128, 0);
    for (at, kind, step) in steps {
        used += step;
        if kind == COMES && used > most {
            (most, when) = (used, at);
        }
    }
    (u64::try_from(most).unwrap_or(u64::MAX), when)
}
