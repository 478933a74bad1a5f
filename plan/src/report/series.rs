//! The replay over time, for plots: derived from what became of requests and calls.

use super::quantile;
use crate::replay::Replay;
use crate::workload::Workload;
use smoother_core::{Millis, Priority, Timestamp};

/// Points over time.
const POINTS: u64 = 240;
/// Points of a quantile over time, which needs several requests each.
const QUANTILES: u64 = 80;
const MINUTE: Millis = Millis::from_secs(60);

/// One curve a band; empty for bands without requests.
pub type PerBandCurve = [Vec<(f64, f64)>; 3];

/// Curves whose x is minutes since the first arrival, unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Seconds that 95 % of those that arrived then waited at most; no point where none arrived.
    pub waits: PerBandCurve,
    /// From one such point to the next, where nothing is missing between them.
    pub waits_step: f64,
    /// The most requests that waited.
    pub depth: PerBandCurve,
    /// Tokens of calls of the last minute: their cost, once they are over, else what was reserved.
    pub held: Vec<(f64, f64)>,
    /// Tokens of calls of the last minute as they turned out to cost.
    pub used: Vec<(f64, f64)>,
    /// x: seconds of wait, y: percent of the band's requests that waited no longer.
    pub distribution: PerBandCurve,
}

impl Series {
    /// Of a replay.
    pub fn of(workload: &Workload, replay: &Replay) -> Self {
        let grid = Grid::over(workload, replay, POINTS);
        let coarse = Grid::over(workload, replay, QUANTILES);
        let calls = replay.calls.iter();
        let used = calls.clone().flat_map(|call| {
            let cost = tokens(call.cost.get());
            [(call.start, cost), (call.start + MINUTE, -cost)]
        });
        let held = calls.flat_map(|call| {
            let (cost, reserved) = (tokens(call.cost.get()), tokens(call.reserved.get()));
            // A reservation is corrected when the call is over; from then on it counts for the minute of its start.
            let leaves = (call.start + MINUTE).max(call.end);
            [
                (call.start, reserved),
                (call.end, cost - reserved),
                (leaves, -cost),
            ]
        });
        Self {
            waits: Priority::ALL.map(|band| waits(workload, replay, band, &coarse)),
            waits_step: coarse.minutes(1) - coarse.minutes(0),
            depth: Priority::ALL.map(|band| depth(workload, replay, band, &grid)),
            held: grid.levels(held.collect()),
            used: grid.levels(used.collect()),
            distribution: Priority::ALL.map(|band| distribution(workload, replay, band)),
        }
    }
}

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Equal steps of time from the first arrival to the end.
struct Grid {
    begins: Timestamp,
    step: u64,
    steps: u64,
}

impl Grid {
    fn over(workload: &Workload, replay: &Replay, points: u64) -> Self {
        let begins = workload.begins();
        let last = workload.jobs().last().map_or(begins, |job| job.arrived);
        let ends = replay.fates.iter().filter_map(|fate| fate.ended).max();
        let span = ends.unwrap_or(last).max(last).since(begins).get().max(1_000);
        let step = span.div_ceil(points).max(1);
        Self {
            begins,
            step,
            steps: span.div_ceil(step),
        }
    }

    fn place(&self, at: Timestamp) -> usize {
        let place = (at.since(self.begins).get() / self.step).min(self.steps.saturating_sub(1));
        usize::try_from(place).unwrap_or(0)
    }

    fn buckets<T: Clone>(&self, empty: T) -> Vec<T> {
        vec![empty; usize::try_from(self.steps).unwrap_or(0)]
    }

    /// The middle of a step, in minutes.
    fn minutes(&self, place: usize) -> f64 {
        (place as f64 + 0.5) * self.step as f64 / 60_000.0
    }

    /// The highest level within each step of what rises and falls by these.
    fn levels(&self, mut changes: Vec<(Timestamp, i64)>) -> Vec<(f64, f64)> {
        // Of changes at one moment the falls come first: who leaves makes room for who comes.
        changes.sort_unstable();
        let mut highest: Vec<Option<i64>> = self.buckets(None);
        let mut level = 0i64;
        let mut at = 0;
        for (moment, change) in changes {
            let place = self.place(moment);
            while at < place {
                highest[at] = highest[at].max(Some(level));
                at += 1;
                highest[at] = Some(level);
            }
            level += change;
            if self.begins + Millis::new(self.step * self.steps) > moment {
                highest[at] = highest[at].max(Some(level));
            }
        }
        let curve = highest.into_iter().enumerate();
        curve
            .map(|(place, most)| (self.minutes(place), most.unwrap_or(level).max(0) as f64))
            .collect()
    }
}

fn waits(workload: &Workload, replay: &Replay, band: Priority, grid: &Grid) -> Vec<(f64, f64)> {
    let mut buckets = grid.buckets(Vec::new());
    for (job, fate) in workload
        .jobs()
        .iter()
        .zip(&replay.fates)
        .filter(|(job, _)| job.priority == band)
    {
        if let Some(started) = fate.started {
            buckets[grid.place(job.arrived)].push(started.since(job.arrived));
        }
    }
    let curve = buckets.into_iter().enumerate().filter_map(|(place, mut waits)| {
        waits.sort_unstable();
        let p95 = quantile(&waits, 95.0)?;
        Some((grid.minutes(place), p95.get() as f64 / 1_000.0))
    });
    curve.collect()
}

fn depth(workload: &Workload, replay: &Replay, band: Priority, grid: &Grid) -> Vec<(f64, f64)> {
    let mine = workload
        .jobs()
        .iter()
        .zip(&replay.fates)
        .filter(|(job, _)| job.priority == band);
    let changes: Vec<(Timestamp, i64)> = mine
        .flat_map(|(job, fate)| {
            let until = fate.started.or(fate.ended).unwrap_or(replay.ended);
            [(job.arrived, 1), (until, -1)]
        })
        .collect();
    if changes.is_empty() {
        Vec::new()
    } else {
        grid.levels(changes)
    }
}

fn distribution(workload: &Workload, replay: &Replay, band: Priority) -> Vec<(f64, f64)> {
    let mine = workload
        .jobs()
        .iter()
        .zip(&replay.fates)
        .filter(|(job, _)| job.priority == band);
    let mut waits: Vec<Millis> = mine
        .filter_map(|(job, fate)| Some(fate.started?.since(job.arrived)))
        .collect();
    waits.sort_unstable();
    let percents = (0..=200u32).map(|half| f64::from(half) / 2.0);
    let curve =
        percents.filter_map(|percent| Some((quantile(&waits, percent)?.get() as f64 / 1_000.0, percent)));
    curve.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            begins: Timestamp::from_millis(500),
            step: 10,
            steps: 4,
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(500 + ms)
    }

    #[test]
    fn a_step_shows_the_highest_level_in_it() {
        let levels = grid().levels(vec![
            (at(1), 5),
            (at(3), -4),
            (at(25), 2),
            (at(25), -1),
            (at(31), -2),
        ]);
        let highest: Vec<f64> = levels.into_iter().map(|(_, level)| level).collect();
        assert_eq!(highest, [5.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn what_lasts_beyond_the_end_is_seen_to_the_end() {
        let levels = grid().levels(vec![(at(5), 3), (at(90), -3)]);
        let highest: Vec<f64> = levels.into_iter().map(|(_, level)| level).collect();
        assert_eq!(highest, [3.0, 3.0, 3.0, 3.0]);
    }
}
