//! What a replay says, as figures: one value that text, JSON and HTML show alike.

mod fair;
mod series;
mod shown;
mod tenants;
mod text;
mod waits;

pub use series::Series;
pub use shown::{LaneShown, UpstreamShown, WorkloadShown};
pub use tenants::{TenantShown, Tenants};
pub(crate) use text::answered;
pub use text::text;
pub(crate) use waits::quantile;
pub use waits::{Band, Waits};

use crate::answer::Answer;
use crate::bound::{Bound, utilisation};
use crate::replay::{Ending, Replay, Setup};
use crate::round::percent;
use crate::workload::Workload;
use serde::Serialize;
use smoother_core::Tokens;

/// The version of the report's form; a field that goes or changes its meaning raises it.
const VERSION: u32 = 2;

/// How the requests ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Requests {
    /// All of them.
    pub all: u64,
    /// With an answer.
    pub completed: u64,
    /// Larger than the quota: refused at the door.
    pub refused: u64,
    /// Waiting when their deadline passed.
    pub expired: u64,
    /// Running when their deadline passed.
    pub overran: u64,
    /// Calls too slow for the lane, or refused for good.
    pub failed: u64,
    /// Still open a day after the last arrival.
    pub unfinished: u64,
    /// Answers cut short by max_tokens.
    pub cut: u64,
    /// Sent with a smaller max_tokens than their callers'.
    pub right_sized: u64,
    /// Asked for once more because right-sizing had cut them short.
    pub reran: u64,
}

/// Calls and refusals upstream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calls {
    /// Admitted.
    pub admitted: u64,
    /// Refused for tokens.
    pub throttled_tokens: u64,
    /// Refused for requests.
    pub throttled_requests: u64,
    /// Refused calls in percent of admitted ones.
    pub throttled_percent: f64,
    /// How often the lane's circuit breaker opened.
    pub breaker_opened: u64,
}

/// Deadlines, by their requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Deadlines {
    /// Requests that have one.
    pub all: u64,
    /// Completed in time.
    pub met: u64,
    /// In percent of all.
    pub met_percent: f64,
}

/// How much of the quota is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Utilisation {
    /// Tokens that were charged in the end.
    pub tokens: u64,
    /// In percent of the quota, from the first arrival to the last end.
    pub percent: f64,
    /// What the workload asks for a minute, in percent of the quota.
    pub load_percent: f64,
}

/// Everything a replay says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of this form.
    pub version: u32,
    /// What was played.
    pub workload: WorkloadShown,
    /// Against which lane.
    pub lane: LaneShown,
    /// And which upstream.
    pub upstream: UpstreamShown,
    /// How the requests ended.
    pub requests: Requests,
    /// Waits by band, then of all; from arrival to the start of the first admitted call.
    pub waits: Vec<Band>,
    /// By tenant.
    pub tenants: Tenants,
    /// Refusals upstream.
    pub calls: Calls,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// How much of the quota was used.
    pub utilisation: Utilisation,
    /// What could at best be had.
    pub bound: Bound,
    /// What would meet the wait that was asked for.
    pub answers: Vec<Answer>,
}

impl Report {
    /// Of a replay; answers are added by who asks.
    pub fn of(workload: &Workload, setup: &Setup, replay: &Replay) -> Self {
        let demand = workload.demand(setup.burndown(), setup.model_most());
        let tokens: Tokens = replay.calls.iter().map(|call| call.cost).sum();
        let last = replay
            .calls
            .iter()
            .map(|call| call.end)
            .max()
            .unwrap_or(replay.ended);
        Self {
            version: VERSION,
            workload: WorkloadShown::of(workload, &demand),
            lane: LaneShown::of(setup),
            upstream: UpstreamShown::of(setup),
            requests: requests(replay),
            waits: Band::all_of(workload, replay),
            tenants: Tenants::of(workload, setup, replay),
            calls: calls(replay),
            deadlines: deadlines(workload, replay),
            utilisation: Utilisation {
                tokens: tokens.get(),
                percent: utilisation(tokens, setup, last.since(workload.begins())),
                load_percent: percent(demand.a_minute(), setup.quota().get()),
            },
            bound: Bound::of(workload, setup),
            answers: Vec::new(),
        }
    }
}

fn requests(replay: &Replay) -> Requests {
    let mut requests = Requests::default();
    for fate in &replay.fates {
        requests.all += 1;
        requests.cut += u64::from(fate.cut);
        requests.right_sized += u64::from(fate.right_sized);
        requests.reran += u64::from(fate.reran);
        *match fate.ending {
            Ending::Unfinished => &mut requests.unfinished,
            Ending::Completed => &mut requests.completed,
            Ending::Refused => &mut requests.refused,
            Ending::Expired => &mut requests.expired,
            Ending::Overran => &mut requests.overran,
            Ending::Failed => &mut requests.failed,
        } += 1;
    }
    requests
}

fn calls(replay: &Replay) -> Calls {
    let admitted = replay.calls.len() as u64;
    let throttled = replay.throttled_tokens + replay.throttled_requests;
    Calls {
        admitted,
        throttled_tokens: replay.throttled_tokens,
        throttled_requests: replay.throttled_requests,
        throttled_percent: percent(throttled, admitted),
        breaker_opened: replay.breaker_opened,
    }
}

fn deadlines(workload: &Workload, replay: &Replay) -> Deadlines {
    let mut deadlines = Deadlines::default();
    for (job, fate) in workload.jobs().iter().zip(&replay.fates) {
        if let Some(deadline) = job.deadline {
            deadlines.all += 1;
            let in_time = fate.ended.is_some_and(|at| at <= deadline);
            deadlines.met += u64::from(fate.ending == Ending::Completed && in_time);
        }
    }
    deadlines.met_percent = percent(deadlines.met, deadlines.all);
    deadlines
}
