//! The judgement: what was promised against what became of it. Pure; finds every fault there is.
//!
//! What the upstream calls can prove. A call upstream carries no call number, so that one number went upstream twice
//! cannot be read off directly. Instead every call in the simulator's log must be accounted for by a call number of
//! its own: by Bedrock's request id where the settlement has one, else by a number without such an id (its fate
//! unknown, or called off) whose time from claim to settlement the arrival falls into. Numbers of one request never
//! overlap in time, so a number used twice leaves an upstream call that no number accounts for.

mod calls;
mod history;
mod promises;
mod quota;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

pub use history::history;

use super::records::{Call, End, Records, Row, Told, Upstream};

/// How far the clocks of the witnesses may be apart. The server's own may run ahead of the wall's after a crash, by
/// the tenth of a second that it stores its times' bound in advance.
const CLOCKS_MS: u64 = 500;

/// Throttles that a thousand calls may meet without being a fault: a fifth of what the benchmarks allow, for clocks and
/// connections of a busy machine. A ledger that believes in too large a quota meets five times as many.
const THROTTLED_PERMILLE: u64 = 2;

/// One thing that must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub kind: Kind,
    pub what: String,
    /// The request it is about, by its mark.
    pub mark: Option<String>,
    /// The same, by its id.
    pub job: Option<String>,
}

/// What sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Acknowledged, and gone.
    Lost,
    /// Not at its end after all was drained.
    Unfinished,
    /// A second terminal state, or a state that went backwards.
    Changed,
    /// Answered with one result, kept with another or with none.
    Result,
    /// A result of another request.
    Foreign,
    /// One key, two jobs; or one key, two bodies.
    Key,
    /// An upstream call that no call number accounts for.
    CallTwice,
    /// Call numbers that do not rise, or not as many as calls were reported; a call that never ended.
    Numbering,
    /// A call lost without a kill, kept through one, or called again against its policy.
    Indeterminate,
    /// More charged than the quota, or throttled by it.
    Overspent,
    /// More calls at once than allowed.
    Concurrency,
    /// The server ended by itself.
    Fell,
}

impl Fault {
    fn new(kind: Kind, what: String) -> Self {
        Self {
            kind,
            what,
            mark: None,
            job: None,
        }
    }

    fn of_job(kind: Kind, job: &str, mark: Option<&str>, what: String) -> Self {
        Self {
            kind,
            what,
            mark: mark.map(str::to_owned),
            job: Some(job.to_owned()),
        }
    }
}

/// What a run amounted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub asked: u64,
    pub jobs: u64,
    /// Of them answered 2xx, or told of an answer.
    pub acknowledged: u64,
    /// Whole synchronous answers.
    pub answered: u64,
    pub states: Vec<(String, u64)>,
    pub upstream: u64,
    pub throttled: u64,
    pub indeterminate: u64,
    /// Calls under way at kills, added up over the kills.
    pub in_flight_at_kills: u64,
    pub kills: u64,
    pub kills_starting: u64,
    pub kills_draining: u64,
    pub stops: u64,
    /// The most charged within a minute, of each model's quota, in thousandths.
    pub fullest_minute_permille: u64,
}

/// The records, looked at from where the audit needs them.
struct Case<'a> {
    records: &'a Records,
    told: HashMap<&'a str, Vec<&'a Told>>,
    upstream: HashMap<&'a str, &'a Upstream>,
    /// Marks by job, as clients were told; else by what its calls were upstream.
    mark_of: HashMap<&'a str, &'a str>,
}

impl<'a> Case<'a> {
    fn new(records: &'a Records) -> Self {
        let mut told: HashMap<&str, Vec<&Told>> = HashMap::new();
        for line in &records.told {
            told.entry(&line.mark).or_default().push(line);
        }
        let upstream: HashMap<&str, &Upstream> = records
            .upstream
            .iter()
            .map(|call| (call.request_id.as_str(), call))
            .collect();
        let by_calls = records.rows.values().filter_map(|row| {
            let ids = row.calls.iter().filter_map(|call| call.upstream.as_deref());
            let mark = ids.filter_map(|id| upstream.get(id)?.mark.as_deref()).next()?;
            Some((row.id.as_str(), mark))
        });
        let mut mark_of: HashMap<&str, &str> = by_calls.collect();
        for line in &records.told {
            if let Some(job) = line.what.named() {
                mark_of.insert(job, &line.mark);
            }
        }
        Self {
            records,
            told,
            upstream,
            mark_of,
        }
    }

    fn fault(&self, kind: Kind, job: &str, what: String) -> Fault {
        Fault::of_job(kind, job, self.mark_of.get(job).copied(), what)
    }
}

/// Every fault in the records, and what they amount to.
pub fn audit(records: &Records) -> (Counts, Vec<Fault>) {
    let case = Case::new(records);
    let mut faults = promises::check(&case);
    faults.extend(calls::check(&case));
    let (fullest, overspent) = quota::check(records);
    faults.extend(overspent);
    faults.extend(records.lives.iter().filter_map(fell));
    faults.sort();
    (counts(&case, fullest), faults)
}

fn fell(life: &super::records::Life) -> Option<Fault> {
    let End::ByItself { status } = &life.end else {
        return None;
    };
    let what = format!("the server ended by itself at {} with {status}", life.ended_ms);
    Some(Fault::new(Kind::Fell, what))
}

fn counts(case: &Case<'_>, fullest_minute_permille: u64) -> Counts {
    use super::records::What;
    let records = case.records;
    let mut states: HashMap<&str, u64> = HashMap::new();
    for row in records.rows.values() {
        *states.entry(&row.state).or_default() += 1;
    }
    let mut states: Vec<(String, u64)> = states.into_iter().map(|(s, n)| (s.to_owned(), n)).collect();
    states.sort();
    let count =
        |test: &dyn Fn(&What) -> bool| records.told.iter().filter(|line| test(&line.what)).count() as u64;
    let acknowledged: BTreeSet<&str> = records.told.iter().filter_map(|line| line.what.job()).collect();
    let killed = || records.lives.iter().filter(|life| life.end == End::Killed);
    let calls = || records.rows.values().flat_map(|row| &row.calls);
    Counts {
        asked: count(&|what| matches!(what, What::Asked { .. })),
        jobs: records.rows.len() as u64,
        acknowledged: acknowledged.len() as u64,
        answered: count(&|what| matches!(what, What::Answered { .. })),
        states,
        upstream: records.upstream.len() as u64,
        throttled: quota::throttled(records).count() as u64,
        indeterminate: calls().filter(|call| call.ended("INDETERMINATE")).count() as u64,
        in_flight_at_kills: calls::in_flight_at_kills(records),
        kills: killed().count() as u64,
        kills_starting: killed().filter(|life| life.ready_ms.is_none()).count() as u64,
        kills_draining: killed().filter(|life| life.asked_to_stop_ms.is_some()).count() as u64,
        stops: records
            .lives
            .iter()
            .filter(|life| life.end == End::Stopped)
            .count() as u64,
        fullest_minute_permille,
    }
}

fn is_terminal(state: &str) -> bool {
    ["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"].contains(&state)
}

/// Jobs in a fixed order, so that the same records give the same faults.
fn sorted(rows: &HashMap<String, Row>) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.values().collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

/// Whether `at` lies between a call's claim and its settlement, as far as clocks tell.
fn within(call: &Call, at: u64) -> bool {
    let end = call.ended_ms.unwrap_or(u64::MAX);
    at.saturating_add(CLOCKS_MS) >= call.started_ms && at <= end.saturating_add(CLOCKS_MS)
}
