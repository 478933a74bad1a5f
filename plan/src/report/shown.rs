//! What was played, as the report names it.

use crate::replay::Setup;
use crate::workload::{Demand, Workload};
use serde::Serialize;
use smoother_core::config::Pacing;

/// The workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkloadShown {
    /// The file, or what was drawn.
    pub name: String,
    /// What was assigned or drawn, and how.
    pub notes: Vec<String>,
    /// From the first arrival to the last.
    pub span_ms: u64,
    /// What it costs of a quota in the end.
    pub tokens: u64,
    /// That, a minute on average.
    pub tokens_per_minute: u64,
    /// The most of it that arrives in one minute.
    pub peak_tokens_per_minute: u64,
}

impl WorkloadShown {
    pub(super) fn of(workload: &Workload, demand: &Demand) -> Self {
        Self {
            name: workload.name.clone(),
            notes: workload.notes.clone(),
            span_ms: demand.span.get(),
            tokens: demand.tokens.get(),
            tokens_per_minute: demand.a_minute(),
            peak_tokens_per_minute: demand.peak.get(),
        }
    }
}

/// The lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneShown {
    /// Its name.
    pub lane: String,
    /// Its quota.
    pub tokens_per_minute: u64,
    /// Its quota of requests.
    pub requests_per_minute: Option<u64>,
    /// Its quota of a day.
    pub tokens_per_day: Option<u64>,
    /// Calls at once.
    pub max_concurrency: u32,
    /// Tokens of quota that an output token costs.
    pub output_burndown: u64,
    /// What is reserved where max_tokens is not set.
    pub max_output_tokens: u64,
    /// How releases are paced.
    pub pacing: String,
}

impl LaneShown {
    pub(super) fn of(setup: &Setup) -> Self {
        let lane = &setup.scheduler.lane;
        Self {
            lane: lane.id.to_string(),
            tokens_per_minute: lane.tokens_per_minute.get(),
            requests_per_minute: lane.requests_per_minute.map(|limit| limit.get()),
            tokens_per_day: lane.tokens_per_day.map(|limit| limit.get()),
            max_concurrency: lane.max_concurrency,
            output_burndown: lane.output_burndown,
            max_output_tokens: lane.max_output_tokens,
            pacing: pacing(lane.pacing),
        }
    }
}

fn pacing(pacing: Pacing) -> String {
    match pacing {
        Pacing::Auto => "auto".to_owned(),
        Pacing::Eager => "eager".to_owned(),
        Pacing::Window => "window".to_owned(),
        Pacing::Bucket { seconds } => format!("bucket ({seconds} s)"),
    }
}

/// The upstream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpstreamShown {
    /// How its limiter counts.
    pub limiter: String,
    /// What it admits.
    pub tokens_per_minute: u64,
    /// Requests that it admits.
    pub requests_per_minute: Option<u64>,
    /// What every call takes.
    pub base_ms: u64,
    /// What each output token takes besides.
    pub per_token_ms: f64,
    /// To the limiter and back.
    pub round_trip_ms: u64,
}

impl UpstreamShown {
    pub(super) fn of(setup: &Setup) -> Self {
        let (upstream, lane) = (&setup.upstream, &setup.scheduler.lane);
        let requests = upstream.requests_per_minute.or(lane.requests_per_minute);
        Self {
            limiter: upstream.limiter.to_string(),
            tokens_per_minute: upstream.tokens_per_minute.unwrap_or(lane.tokens_per_minute).get(),
            requests_per_minute: requests.map(|limit| limit.get()),
            base_ms: upstream.latency.base.get(),
            per_token_ms: upstream.latency.per_token_ms,
            round_trip_ms: upstream.round_trip.get(),
        }
    }
}
