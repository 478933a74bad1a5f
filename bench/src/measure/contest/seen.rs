//! What callers saw: answers, waits by priority, deadlines, and how fairly tenants were served.

use std::collections::BTreeMap;

use super::run::Fate;
use super::{Bounds, Cell, Contest, Entry, PRIORITIES, Round};
use crate::bound::{Best, Upstream};
use crate::report::{Table, figure, percent};
use crate::stats::Sample;

/// The name of the bound's rows.
const BOUND: &str = "bound (simulated)";

/// The name of the rows that tell how it goes where nothing but the order of arrival counts.
const FIRST_COME: &str = "first come, first served (simulated)";

pub(super) fn table(contest: &Contest, entries: &[Entry], bounds: &[(&Cell, Bounds)]) -> Table {
    let calls = || {
        let rounds = bounds.iter().flat_map(|(_, bests)| bests);
        rounds.flat_map(|(round, ..)| &round.calls)
    };
    let shown = Shown {
        contest,
        priorities: PRIORITIES
            .into_iter()
            .filter(|name| calls().any(|call| call.class == *name))
            .collect(),
        tenants: calls().any(|call| !call.tenant.is_empty()),
    };
    let mut table = Table::of(shown.header()).grouped();
    for (cell, bests) in bounds {
        let scale = contest.scale;
        let best = bests
            .iter()
            .flat_map(|(round, best, _)| of_best(round, best, scale));
        table.push(shown.row(BOUND, &cell.name, &best.collect::<Vec<_>>()));
        if shown.tenants {
            let fifo = bests
                .iter()
                .flat_map(|(round, _, fifo)| of_best(round, fifo, scale));
            table.push(shown.row(FIRST_COME, &cell.name, &fifo.collect::<Vec<_>>()));
        }
        for entry in entries.iter().filter(|entry| entry.cell == cell.name) {
            let fates: Vec<Fate> = entry.runs.iter().flat_map(|run| run.fates.clone()).collect();
            table.push(shown.row(&entry.target, &cell.name, &fates));
        }
    }
    table
}

fn of_best(round: &Round, best: &Best, scale: f64) -> Vec<Fate> {
    // The settings were read before: without them there would be no bound.
    let Ok(upstream) = Upstream::new(&round.simulator) else {
        return Vec::new();
    };
    let calls = round.calls.iter().zip(&best.waits);
    calls
        .map(|(call, wait)| Fate::new(call, &upstream, scale, *wait))
        .collect()
}

/// What the rows of a contest show.
struct Shown<'a> {
    contest: &'a Contest,
    priorities: Vec<&'static str>,
    tenants: bool,
}

impl Shown<'_> {
    fn header(&self) -> Vec<String> {
        let mut header: Vec<String> = [
            "target",
            self.contest.differ_in,
            "calls",
            "answered",
            "client errors",
            "deadlines met",
        ]
        .map(str::to_owned)
        .to_vec();
        let waits = self.priorities.iter();
        header.extend(waits.map(|name| format!("{name} wait p50 / p95 / p99 s")));
        if self.tenants {
            header.extend(["Jain index of tenants", "light tenants' wait p95 s"].map(str::to_owned));
        }
        header
    }

    fn row(&self, target: &str, cell: &str, fates: &[Fate]) -> Vec<String> {
        let answered = fates.iter().filter(|fate| fate.wait_s.is_some()).count();
        let share = |count: usize| percent((!fates.is_empty()).then(|| count as f64 / fates.len() as f64));
        let in_time = |fate: &&Fate| in_time(fate, &self.contest.deadlines);
        let mut cells = vec![
            target.to_owned(),
            cell.to_owned(),
            fates.len().to_string(),
            share(answered),
            (fates.len() - answered).to_string(),
            share(fates.iter().filter(in_time).count()),
        ];
        for name in &self.priorities {
            cells.push(three(&waits(fates.iter().filter(|fate| fate.class == *name))));
        }
        if self.tenants {
            cells.push(figure(jain(fates), 3));
            let heavy = heaviest(fates, 2);
            let light = fates.iter().filter(|fate| !heavy.contains(&fate.tenant.as_str()));
            cells.push(figure(waits(light).permille(950), 1));
        }
        cells
    }
}

fn in_time(fate: &Fate, deadlines: &BTreeMap<String, f64>) -> bool {
    let wanted = deadlines.get(&fate.class).copied().unwrap_or(f64::INFINITY);
    fate.wait_s.is_some_and(|wait| wait + fate.service_s <= wanted)
}

/// Waits in seconds; a call that was never answered waits for ever, else whoever refuses most would look best.
pub(super) fn waits<'a>(fates: impl Iterator<Item = &'a Fate>) -> Sample {
    Sample::of(fates.map(|fate| fate.wait_s.unwrap_or(f64::INFINITY)))
}

fn three(sample: &Sample) -> String {
    [500, 950, 990]
        .map(|permille| figure(sample.permille(permille), 2))
        .join(" / ")
}

/// Jain's index over the tenants of the mean share of their calls' time in which they were served: 1 where all fare
/// alike, 1/n where one alone is served. (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984.)
fn jain(fates: &[Fate]) -> Option<f64> {
    let mut of: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for fate in fates {
        let served = fate.wait_s.map_or(0.0, |wait| {
            fate.service_s / (fate.service_s + wait).max(f64::MIN_POSITIVE)
        });
        let (sum, count) = of.entry(&fate.tenant).or_default();
        *sum += served;
        *count += 1;
    }
    let means: Vec<f64> = of.values().map(|(sum, count)| sum / *count as f64).collect();
    let squares: f64 = means.iter().map(|mean| mean * mean).sum();
    (squares > 0.0).then(|| means.iter().sum::<f64>().powi(2) / (means.len() as f64 * squares))
}

/// The tenants whose calls cost most.
fn heaviest(fates: &[Fate], count: usize) -> Vec<&str> {
    let mut of: BTreeMap<&str, f64> = BTreeMap::new();
    for fate in fates {
        *of.entry(&fate.tenant).or_default() += fate.cost;
    }
    let mut all: Vec<(&str, f64)> = of.into_iter().collect();
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    all.into_iter().take(count).map(|(tenant, _)| tenant).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fate(tenant: &str, wait_s: Option<f64>) -> Fate {
        Fate {
            class: "batch".to_owned(),
            tenant: tenant.to_owned(),
            cost: 1.0,
            service_s: 1.0,
            wait_s,
        }
    }

    #[test]
    fn jains_index_is_1_where_all_fare_alike_and_a_half_where_one_of_two_is_served() {
        let alike = [fate("a", Some(1.0)), fate("b", Some(1.0)), fate("b", Some(1.0))];
        assert!((jain(&alike).unwrap() - 1.0).abs() < 1e-9);
        let one = [fate("a", Some(1.0)), fate("b", None)];
        assert!((jain(&one).unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_call_that_was_never_answered_waits_for_ever() {
        let fates = [fate("a", Some(1.0)), fate("a", None)];
        assert_eq!(three(&waits(fates.iter())), "1.00 / never / never");
    }

    #[test]
    fn a_deadline_counts_from_arrival_to_the_answer() {
        let deadlines = BTreeMap::from([("batch".to_owned(), 3.0)]);
        assert!(in_time(&fate("a", Some(2.0)), &deadlines));
        assert!(!in_time(&fate("a", Some(2.1)), &deadlines));
        assert!(!in_time(&fate("a", None), &deadlines));
    }

    #[test]
    fn the_heaviest_tenants_are_told_by_what_their_calls_cost() {
        let fates = [fate("a", None), fate("b", None), fate("b", None), fate("c", None)];
        assert_eq!(heaviest(&fates, 1), ["b"]);
    }
}
