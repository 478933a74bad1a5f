//! What could at best be had: first in first out, by one who sees into the limiter and knows every cost beforehand.
//!
//! Each request starts as soon as the limiter admits what it will have cost in the end and a call may be under way.
//! Nobody can do that: Bedrock wants max_tokens at the start. It is no proven optimum for every order either, only what
//! is left when nothing has to be reserved.

use crate::replay::Setup;
use crate::report::Waits;
use crate::upstream::{Limiter, LimiterKind};
use crate::workload::Workload;
use serde::Serialize;
use smoother_core::{Millis, Timestamp, Tokens};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What could at best be had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// How long requests would wait, in one line of all bands.
    pub waits: Waits,
    /// Tokens of the quota that would be used from the first arrival to the last end, in percent.
    pub utilisation_percent: f64,
}

impl Bound {
    /// Of a workload at the quota of `setup`. Where nothing refuses upstream, a sliding minute of the quota does.
    pub fn of(workload: &Workload, setup: &Setup) -> Self {
        let mut limiter = match setup.upstream.limiter {
            LimiterKind::None => Limiter::new(LimiterKind::Sliding, setup.quota(), None),
            _ => setup.limiter(),
        };
        let at_once = usize::try_from(setup.scheduler.lane.max_concurrency)
            .unwrap_or(usize::MAX)
            .max(1);
        let mut running: BinaryHeap<Reverse<Timestamp>> = BinaryHeap::new();
        let (mut waits, mut tokens) = (Vec::with_capacity(workload.jobs().len()), Tokens::ZERO);
        let (mut turn, mut last) = (workload.begins(), workload.begins());
        for job in workload.jobs() {
            let most = setup.asked(job);
            let cost = job.cost(most, setup.burndown());
            if cost.get() > setup.quota().get() {
                continue;
            }
            turn = turn.max(job.arrived);
            if running.len() >= at_once {
                turn = turn.max(running.pop().map_or(turn, |Reverse(end)| end));
            }
            let start = limiter.earliest(turn, cost);
            limiter.charge(start, cost);
            let end = start + setup.upstream.latency.of(job.output.min(most));
            running.push(Reverse(end));
            waits.push(start.since(job.arrived));
            (turn, last, tokens) = (start, last.max(end), tokens + cost);
        }
        Self {
            waits: Waits::of(waits),
            utilisation_percent: utilisation(tokens, setup, last.since(workload.begins())),
        }
    }
}

/// Tokens in percent of what the upstream's quota allows in this time.
pub(crate) fn utilisation(tokens: Tokens, setup: &Setup, time: Millis) -> f64 {
    let quota = setup.upstream.tokens_per_minute.unwrap_or_else(|| setup.quota());
    let allowed = quota.get() as f64 * time.get().max(1) as f64 / 60_000.0;
    crate::round::hundredths(100.0 * tokens.get() as f64 / allowed)
}
