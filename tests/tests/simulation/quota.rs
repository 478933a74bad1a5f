//! G5: what was admitted, held against the quota as it is configured and as the upstream enforced it.

use super::judge::{Book, Judge, short};
use bedrock_sim::quota::Refusal;
use smoother_core::config::{Config, LaneConfig, Pacing};
use smoother_core::{Call, LaneId, Millis, ModelCall, Timestamp, Tokens};
use std::collections::BTreeMap;

/// A call that reaches the upstream so long after its claim is charged there at another time than here: two of them
/// use up the 200 ms that the lane's short bucket stays below the upstream's.
const LATE: Millis = Millis::new(100);
/// How long that may tell.
const TELLS_FOR: Millis = Millis::from_secs(70);
/// Refusals that finding out which limiter it is may cost a lane, besides one of twenty calls.
const PROBES: usize = 8;
const MINUTE: Millis = Millis::from_secs(60);

/// What the upstream said of each lane.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When calls came late, by lane.
    late: BTreeMap<LaneId, Vec<Timestamp>>,
    /// A worker went on after another had taken its place: its calls count upstream and nowhere else.
    pub replaced: bool,
    /// What was refused in each lane.
    refused: BTreeMap<LaneId, usize>,
}

impl Judge {
    /// The upstream's own limiter refused a call.
    pub fn throttled(&self, call: &ModelCall, why: Refusal) {
        let mut book = self.book();
        let now = book.now();
        book.note(
            "throttled",
            &format!("{} in {}: {why:?}", short(call.request), call.lane),
        );
        let times = book.ledger.late.get(&call.lane);
        let late = times.is_some_and(|times| times.iter().any(|at| now.since(*at) < TELLS_FOR));
        if late || book.ledger.replaced {
            return;
        }
        let refused = book.ledger.refused.entry(call.lane.clone()).or_default();
        *refused += 1;
        let refused = *refused;
        if book.finds_out(&call.lane) {
            let calls = book.calls_in(&call.lane).count();
            if refused > PROBES + calls / 20 {
                book.fault(format!(
                    "G5: {refused} of {calls} calls of {} were refused: it goes on asking which limiter it is",
                    call.lane
                ));
            }
        } else {
            book.fault(format!(
                "G5: call {} of {} was refused by the upstream's limit of {} ({why:?}) with nothing to explain it",
                call.number, call.request, call.lane
            ));
        }
    }
}

impl Book {
    /// Whether a lane lets calls go to find out which limiter it has.
    fn finds_out(&self, lane: &LaneId) -> bool {
        let config = self.config.lanes.get(lane);
        config.is_some_and(|lane| lane.pacing == Pacing::Eager)
    }

    /// Takes note of a call that reaches the upstream long after it was charged here.
    pub fn arrives(&mut self, call: &ModelCall) {
        let now = self.now();
        let Some(charged) = self.calls.get(&(call.request, call.number)) else {
            return;
        };
        if now.since(charged.charged_at) > LATE {
            self.note(
                "late",
                &format!("{} after {}", short(call.request), now.since(charged.charged_at)),
            );
            self.ledger.late.entry(call.lane.clone()).or_default().push(now);
        }
    }

    /// What is claimed now and what still counts, against each limit a minute.
    pub fn quota(&mut self, config: &Config, call: &Call) {
        let Some(lane) = config.lanes.get(&call.lane) else {
            return;
        };
        let since = call.charged_at;
        let counted: Vec<&Call> = self
            .calls_in(&call.lane)
            .filter(|other| other.charged_at <= since && since.since(other.charged_at) < MINUTE)
            .collect();
        let tokens: Tokens = counted.iter().map(|call| call.charge()).sum();
        // What was refused, here or upstream, counts against no limit.
        let requests = counted.iter().filter(|call| call.charge() > Tokens::ZERO).count() as u64;
        let open = self
            .calls_in(&call.lane)
            .filter(|call| call.settlement.is_none())
            .count();
        for fault in excess(lane, tokens, requests, open as u64) {
            self.fault(format!("G5: {}: with call {} {fault}", call.request, call.number));
        }
    }
}

fn excess(lane: &LaneConfig, tokens: Tokens, requests: u64, open: u64) -> Vec<String> {
    // What is left of one minute and all of the next, where a lane has found out that it may.
    let minutes = if lane.pacing == Pacing::Eager { 2 } else { 1 };
    let limit = lane.tokens_per_minute.get() * minutes;
    let per_minute = lane
        .requests_per_minute
        .map_or(u64::MAX, |limit| limit.get() * minutes);
    let at_once = u64::from(lane.max_concurrency);
    let mut faults = Vec::new();
    if tokens.get() > limit {
        faults.push(format!(
            "{tokens} count within a minute in {}, which has {limit}",
            lane.id
        ));
    }
    if requests > per_minute {
        faults.push(format!(
            "{requests} calls count within a minute in {}, which has {per_minute}",
            lane.id
        ));
    }
    if open > at_once {
        faults.push(format!(
            "{open} calls are open at once in {}, which has {at_once}",
            lane.id
        ));
    }
    faults
}
