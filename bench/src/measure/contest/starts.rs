//! How good the starts were that a target has estimated, where it tells.

use super::{Contest, Entry};
use crate::measure::told::Starts;
use crate::report::{Note, Table, figure, percent};

/// Seconds within which an estimate is called near.
const NEAR: f64 = 5.0;

/// None where no target told any.
pub(super) fn table(contest: &Contest, entries: &[Entry]) -> Option<Table> {
    let mut table = Table::new([
        "target",
        contest.differ_in,
        "priority",
        "had to wait",
        "started later than estimated p10 / p50 / p90 s",
        "within 5 s",
    ])
    .grouped();
    let mut any = false;
    for cell in &contest.cells {
        for entry in entries.iter().filter(|entry| entry.cell == cell.name) {
            for priority in super::PRIORITIES {
                let all = pooled(entry, priority);
                if all.count() > 0.0 {
                    any = true;
                    table.row(row(entry, priority, &all, contest.scale));
                }
            }
        }
    }
    table.notes.push(Note::of_all(
        "What a request that had to wait was told as it came, held against its start: what stands below nothing started \
         earlier. Read from the target's own histogram, evenly spread within its buckets."
            .to_owned(),
    ));
    any.then_some(table)
}

fn pooled(entry: &Entry, priority: &str) -> Starts {
    let mut all = Starts::default();
    for starts in entry.runs.iter().filter_map(|run| run.told.starts.get(priority)) {
        all.merge(starts);
    }
    all
}

fn row(entry: &Entry, priority: &str, all: &Starts, scale: f64) -> [String; 6] {
    let late = [0.1, 0.5, 0.9].map(|share| figure(all.quantile(share).map(|late| late * scale), 1));
    let near = all.at_most(NEAR / scale).zip(all.at_most(-NEAR / scale));
    [
        entry.target.clone(),
        entry.cell.clone(),
        priority.to_owned(),
        figure(Some(all.count()), 0),
        late.join(" / "),
        percent(near.map(|(late, early)| late - early)),
    ]
}
