//! Call numbers against the simulator's log, and against the kills.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{CLOCKS_MS, Case, Fault, Kind, sorted, within};
use crate::crash::records::{Call, Records, Row, Upstream, What};

pub(super) fn check(case: &Case<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for row in sorted(&case.records.rows) {
        numbers(case, row, &mut faults);
    }
    accounted(case, &mut faults);
    sent_once(case.records, &mut faults);
    lost_by_kills(case, &mut faults);
    faults
}

fn numbers(case: &Case<'_>, row: &Row, faults: &mut Vec<Fault>) {
    let numbers: Vec<u32> = row.calls.iter().map(|call| call.number).collect();
    let mut fault = |what: String| faults.push(case.fault(Kind::Numbering, &row.id, what));
    // A number that was released and never claimed is left out for ever; none is given twice.
    let rising = numbers.windows(2).all(|pair| pair[0] < pair[1]) && numbers.first() != Some(&0);
    if !rising || numbers.len() != row.calls_made as usize {
        fault(format!(
            "calls_made is {}, its calls are {numbers:?}",
            row.calls_made
        ));
    }
    for pair in row.calls.windows(2) {
        if pair[0].ended_ms.is_none_or(|end| end > pair[1].started_ms) {
            fault(format!(
                "call {} began before call {} was over",
                pair[1].number, pair[0].number
            ));
        }
    }
    for call in row.calls.iter().filter(|call| call.ending.is_none()) {
        fault(format!("call {} was never settled", call.number));
    }
}

/// Every upstream call has a call number of its own.
fn accounted(case: &Case<'_>, faults: &mut Vec<Fault>) {
    let mut named: HashSet<&str> = HashSet::new();
    let mut open: HashMap<Option<&str>, Vec<&Call>> = HashMap::new();
    for row in sorted(&case.records.rows) {
        let mark = case.mark_of.get(row.id.as_str()).copied();
        for call in &row.calls {
            let Some(id) = call.upstream.as_deref() else {
                open.entry(mark).or_default().push(call);
                continue;
            };
            let mut fault = |what| faults.push(case.fault(Kind::CallTwice, &row.id, what));
            match case.upstream.get(id) {
                None => fault(format!(
                    "call {} names {id}, which never came upstream",
                    call.number
                )),
                Some(up) if !within(call, up.arrival_ms) => fault(format!(
                    "call {} names {id}, which came at {}, outside of it",
                    call.number, up.arrival_ms
                )),
                Some(_) if !named.insert(id) => fault(format!("{id} is the call of two numbers")),
                Some(_) => {}
            }
        }
    }
    let mut unnamed: BTreeMap<Option<&str>, Vec<&Upstream>> = BTreeMap::new();
    for up in &case.records.upstream {
        if !named.contains(up.request_id.as_str()) {
            unnamed.entry(up.mark.as_deref()).or_default().push(up);
        }
    }
    // A job of which no client knows has no mark: its submission was cut off by a kill before its answer.
    let mut strangers = open.remove(&None).unwrap_or_default();
    let mut left = Vec::new();
    for (mark, ups) in unnamed {
        left.extend(fill(&mut open.remove(&mark).unwrap_or_default(), ups));
    }
    left.sort_by_key(|up| up.arrival_ms);
    for up in fill(&mut strangers, left) {
        let what = format!(
            "{} came upstream at {} ({}), and no call number accounts for it",
            up.request_id, up.arrival_ms, up.outcome
        );
        faults.push(Fault {
            mark: up.mark.clone(),
            ..Fault::new(Kind::CallTwice, what)
        });
    }
}

/// Gives each arrival, in their order, a call that it falls into, the one that ends first: so the most find one. What
/// is left fits nowhere.
fn fill<'a>(calls: &mut Vec<&Call>, ups: Vec<&'a Upstream>) -> Vec<&'a Upstream> {
    let mut left = Vec::new();
    for up in ups {
        let fitting = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| within(call, up.arrival_ms));
        let first = fitting.min_by_key(|(_, call)| call.ended_ms.unwrap_or(u64::MAX));
        match first.map(|(index, _)| index) {
            Some(index) => {
                calls.swap_remove(index);
            }
            None => left.push(up),
        }
    }
    left
}

/// Retries are the worker's business alone: its SDK sends each call once.
fn sent_once(records: &Records, faults: &mut Vec<Fault>) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for up in &records.upstream {
        let Some(invocation) = up.invocation.as_deref() else {
            continue;
        };
        if let Some(other) = seen.insert(invocation, &up.request_id) {
            let what = format!("{other} and {} are attempts of one call", up.request_id);
            faults.push(Fault {
                mark: up.mark.clone(),
                ..Fault::new(Kind::CallTwice, what)
            });
        }
    }
}

/// A call is lost by a kill and by nothing else; no call outlives one; who asked for it is not called again.
fn lost_by_kills(case: &Case<'_>, faults: &mut Vec<Fault>) {
    let mut kills: Vec<u64> = case.records.kills().collect();
    kills.sort_unstable();
    let policy = case.records.told.iter().filter_map(|line| match &line.what {
        What::Asked {
            fail_on_indeterminate: true,
            ..
        } => Some(line.mark.as_str()),
        _ => None,
    });
    let policy: HashSet<&str> = policy.collect();
    for row in sorted(&case.records.rows) {
        for (at, call) in row.calls.iter().enumerate() {
            let mut fault = |what| faults.push(case.fault(Kind::Indeterminate, &row.id, what));
            let number = call.number;
            if !call.ended("INDETERMINATE") {
                if let Some(kill) = killed_inside(&kills, call) {
                    fault(format!(
                        "call {number} was under way at the kill at {kill}, and ended {:?}",
                        call.ending
                    ));
                }
                continue;
            }
            if !kills.iter().any(|kill| within(call, *kill)) {
                fault(format!(
                    "call {number} is indeterminate, and nothing was killed while it ran"
                ));
            }
            let fails = case
                .mark_of
                .get(row.id.as_str())
                .is_some_and(|mark| policy.contains(mark));
            if fails && (at + 1 < row.calls.len() || row.state == "COMPLETED") {
                fault(format!(
                    "call {number} is indeterminate, and its request asked to fail then"
                ));
            }
        }
    }
    at_once(case.records, faults);
}

/// A kill that lies well inside the call.
fn killed_inside(kills: &[u64], call: &Call) -> Option<u64> {
    let from = kills.partition_point(|kill| *kill <= call.started_ms + CLOCKS_MS);
    let kill = *kills.get(from)?;
    (kill + CLOCKS_MS < call.ended_ms?).then_some(kill)
}

/// Upstream calls under way at each kill, added up, by the simulator's log: about as many are lost. Besides them a kill
/// loses calls that were claimed and not sent yet, or answered and not recorded yet.
pub(super) fn in_flight_at_kills(records: &Records) -> u64 {
    let mut kills: Vec<u64> = records.kills().collect();
    kills.sort_unstable();
    let inside = |up: &Upstream| {
        let from = kills.partition_point(|kill| *kill < up.arrival_ms);
        let until = up.end_ms.unwrap_or(u64::MAX);
        kills[from..].partition_point(|kill| *kill <= until) as u64
    };
    records.upstream.iter().map(inside).sum()
}

/// By the simulator's log, no model has more calls at once than allowed. A call of a killed server ends upstream when
/// its connection does, so what the next life sends may overlap with it for a moment.
fn at_once(records: &Records, faults: &mut Vec<Fault>) {
    for model in records.quotas.keys() {
        let mut edges: Vec<(u64, i64)> = Vec::new();
        for up in records.upstream.iter().filter(|up| up.model == *model) {
            let Some(end) = up
                .end_ms
                .filter(|_| up.outcome != "refused" && up.outcome != "invalid")
            else {
                continue;
            };
            edges.push((up.arrival_ms, 1));
            edges.push((end.max(up.arrival_ms), -1));
        }
        edges.sort_unstable();
        let (mut now, mut most) = (0_i64, 0_i64);
        for (_, step) in edges {
            now += step;
            most = most.max(now);
        }
        if most > i64::from(records.max_concurrency) {
            let what = format!(
                "{model}: {most} calls at once upstream; allowed are {}",
                records.max_concurrency
            );
            faults.push(Fault::new(Kind::Concurrency, what));
        }
    }
}
