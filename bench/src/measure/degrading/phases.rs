//! When each phase is, and the simulator's script of all of them.

use serde_json::{Value, json};

use crate::files::Phase;
use crate::plan::{Outcome, Results};

/// A phase in milliseconds after the run's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) name: String,
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
    /// Nothing is wrong upstream in it.
    pub(super) well: bool,
}

impl Timed {
    /// Calls that were due in it.
    pub(super) fn outcomes<'a>(&self, results: &'a Results) -> impl Iterator<Item = &'a Outcome> {
        let during = self.from_ms * 1_000..self.until_ms * 1_000;
        results
            .outcomes
            .iter()
            .filter(move |outcome| during.contains(&outcome.due_us))
    }
}

pub(super) fn timed(phases: &[Phase], speed: u64) -> Vec<Timed> {
    let mut passed = 0;
    let times = phases.iter().map(|phase| {
        let from_ms = passed;
        passed += phase.seconds * 1_000 / speed.max(1);
        Timed {
            name: phase.name.clone(),
            from_ms,
            until_ms: passed,
            well: phase.spans.is_empty(),
        }
    });
    times.collect()
}

/// One script for the whole run; its own `speed` makes it pass faster.
pub(super) fn script(phases: &[Phase], speed: u64) -> Value {
    let mut begin = 0;
    let mut spans = Vec::new();
    for phase in phases {
        let length = phase.seconds * 1_000;
        for (number, span) in phase.spans.iter().enumerate() {
            let mut span = span.clone();
            let at = |key: &str| span.get(key).and_then(Value::as_u64);
            let (from, until) = (at("from_ms").unwrap_or(0), at("until_ms").unwrap_or(length));
            span["from_ms"] = (begin + from).into();
            span["until_ms"] = (begin + until.min(length)).into();
            span["name"] = format!("{}, {number}", phase.name).into();
            spans.push(span);
        }
        begin += length;
    }
    json!({ "seed": 1, "speed": speed.max(1), "spans": spans })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str, seconds: u64, spans: Vec<Value>) -> Phase {
        Phase {
            name: name.to_owned(),
            seconds,
            spans,
        }
    }

    #[test]
    fn phases_follow_each_other_and_so_do_their_spans() {
        let phases = [
            phase("calm", 60, vec![]),
            phase(
                "bad",
                30,
                vec![
                    json!({ "faults": { "500": 0.5 } }),
                    json!({ "from_ms": 10_000, "until_ms": 99_000, "capacity": { "from": 4, "to": 1 } }),
                ],
            ),
            phase("well", 30, vec![]),
        ];
        let times: Vec<(u64, u64)> = timed(&phases, 2)
            .iter()
            .map(|phase| (phase.from_ms, phase.until_ms))
            .collect();
        assert_eq!(times, [(0, 30_000), (30_000, 45_000), (45_000, 60_000)]);
        let script = script(&phases, 2);
        assert_eq!(script["speed"], 2);
        assert_eq!(
            script["spans"],
            json!([
                { "name": "bad, 0", "from_ms": 60_000, "until_ms": 90_000, "faults": { "500": 0.5 } },
                { "name": "bad, 1", "from_ms": 70_000, "until_ms": 90_000, "capacity": { "from": 4, "to": 1 } },
            ])
        );
    }
}
