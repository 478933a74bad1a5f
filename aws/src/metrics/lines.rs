//! Embedded-metric lines, made of what there is to tell.

use metrics::Key;
use serde::Serialize;
use serde_json::{Map, Value, json};
use smoother_core::Timestamp;
use std::collections::BTreeMap;

/// The CloudWatch namespace.
const NAMESPACE: &str = "BedrockSmoother";
/// Values of one metric in one line, as the format has it.
const MOST_VALUES: usize = 100;
/// Metrics in one line, as the format has it.
const MOST_METRICS: usize = 100;

/// A value as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

/// The news of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    name: String,
    dimensions: BTreeMap<String, String>,
    values: Vec<Number>,
}

impl Entry {
    pub(super) fn new(key: &Key, values: Vec<Number>) -> Self {
        let label = |label: &metrics::Label| (label.key().to_owned(), label.value().to_owned());
        Self {
            name: key.name().to_owned(),
            dimensions: key.labels().map(label).collect(),
            values,
        }
    }
}

/// What is still to be written of each metric.
type Left<'a> = Vec<(&'a str, &'a [Number])>;

/// The lines of these entries: those of the same dimensions share lines.
pub(super) fn of(now: Timestamp, entries: &[Entry]) -> Vec<String> {
    let mut by_dimensions: BTreeMap<&BTreeMap<String, String>, Left<'_>> = BTreeMap::new();
    for entry in entries {
        let chunks = entry.values.chunks(MOST_VALUES);
        by_dimensions
            .entry(&entry.dimensions)
            .or_default()
            .extend(chunks.map(|values| (entry.name.as_str(), values)));
    }
    let mut lines = Vec::new();
    for (dimensions, mut left) in by_dimensions {
        while !left.is_empty() {
            // A line has each metric once; what is over goes on in the next one.
            let mut taken: BTreeMap<&str, &[Number]> = BTreeMap::new();
            left.retain(|(name, values)| {
                let fits = taken.len() < MOST_METRICS && !taken.contains_key(name);
                if fits {
                    taken.insert(name, values);
                }
                !fits
            });
            lines.push(line(now, dimensions, &taken));
        }
    }
    lines
}

fn line(
    now: Timestamp,
    dimensions: &BTreeMap<String, String>,
    metrics: &BTreeMap<&str, &[Number]>,
) -> String {
    let names: Vec<Value> = metrics
        .keys()
        .map(|name| json!({"Name": name, "Unit": unit(name)}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [dimensions.keys().collect::<Vec<_>>()],
                "Metrics": names,
            }],
        }),
    );
    for (name, value) in dimensions {
        line.insert(name.clone(), json!(value));
    }
    for (name, values) in metrics {
        let value = match values {
            [only] => json!(only),
            several => json!(several),
        };
        line.insert((*name).to_owned(), value);
    }
    Value::Object(line).to_string()
}

/// CloudWatch's word for what a name's last part says.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_seconds") {
        "Seconds"
    } else if name.ends_with("_total") {
        "Count"
    } else {
        "None"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;
    use std::collections::BTreeSet;

    fn entry(name: &'static str, lane: &'static str, values: Vec<Number>) -> Entry {
        let key = Key::from_parts(name, vec![Label::new("lane", lane)]);
        Entry::new(&key, values)
    }

    fn parsed(entries: &[Entry]) -> Vec<Value> {
        of(Timestamp::from_millis(1_700_000_000_000), entries)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_is_as_the_format_wants_it() {
        let lines = parsed(&[
            entry("x_total", "a", vec![Number::Whole(3)]),
            entry("y_seconds", "a", vec![Number::Real(0.5), Number::Real(2.0)]),
        ]);
        assert_eq!(
            lines,
            [json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_000u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "BedrockSmoother",
                        "Dimensions": [["lane"]],
                        "Metrics": [
                            {"Name": "x_total", "Unit": "Count"},
                            {"Name": "y_seconds", "Unit": "Seconds"},
                        ],
                    }],
                },
                "lane": "a",
                "x_total": 3,
                "y_seconds": [0.5, 2.0],
            })]
        );
    }

    #[test]
    fn dimensions_have_lines_of_their_own() {
        let lines = parsed(&[
            entry("x_total", "a", vec![Number::Whole(1)]),
            entry("x_total", "b", vec![Number::Whole(2)]),
        ]);
        let lanes: BTreeSet<&str> = lines.iter().filter_map(|line| line["lane"].as_str()).collect();
        assert_eq!(lanes, ["a", "b"].into());
    }

    #[test]
    fn more_values_than_a_line_holds_go_on_in_the_next() {
        let values = (0..250).map(|n| Number::Real(f64::from(n))).collect();
        let lines = parsed(&[
            entry("y_seconds", "a", values),
            entry("x_total", "a", vec![Number::Whole(1)]),
        ]);
        let sizes: Vec<usize> = lines
            .iter()
            .map(|line| line["y_seconds"].as_array().unwrap().len())
            .collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert_eq!(lines.iter().filter(|line| line["x_total"] == 1).count(), 1);
    }
}
