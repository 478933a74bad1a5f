//! The same as a picture.

use super::run::Fate;
use super::{Contest, Entry, cost, seen};
use crate::report::{Axis, Group, Plot, Value};

pub(super) fn plot(contest: &Contest, entries: &[Entry]) -> Plot {
    let groups = contest
        .cells
        .iter()
        .map(|cell| Group {
            title: cell.name.clone(),
            bars: entries
                .iter()
                .filter(|entry| entry.cell == cell.name && !entry.runs.is_empty())
                .map(|entry| (entry.target.clone(), bars(entry)))
                .collect(),
        })
        .collect();
    Plot {
        axes: vec![
            Axis::linear("answered", "%", 100.0),
            Axis::logarithmic("interactive wait, p95", "s"),
            Axis::logarithmic("batch wait, p95", "s"),
            Axis::linear("429s upstream per 100 calls", "", 100.0),
        ],
        groups,
    }
}

fn bars(entry: &Entry) -> Vec<Value> {
    let fates = || entry.runs.iter().flat_map(|run| &run.fates);
    let all = fates().count().max(1) as f64;
    let answered = fates().filter(|fate| fate.wait_s.is_some()).count() as f64;
    let of = |class: &'static str| {
        seen::waits(fates().filter(move |fate: &&Fate| fate.class == class)).permille(950)
    };
    let throttled: u64 = entry.runs.iter().map(cost::throttled).sum();
    vec![
        Value::Number(answered * 100.0 / all),
        of("interactive").into(),
        of("batch").into(),
        Value::Number(throttled as f64 * 100.0 / all),
    ]
}
