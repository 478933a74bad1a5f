//! The JSON of one job.

use super::timings::{Timings, waits};
use crate::rfc3339;
use serde::Serialize;
use smoother_core::scheduler::{Forecast, Limit};
use smoother_core::{
    Call, CallEnding, Failure, HopCause, Hopped, LaneId, ModelErrorKind, ModelId, Operation, Outcome,
    Priority, Request, RequestId, TenantId, ThrottleCause, Timestamp, Usage,
};
use std::collections::BTreeMap;

/// One job. Moments are RFC 3339 in UTC; absent members do not apply.
#[derive(Debug, Serialize)]
pub struct JobView {
    id: RequestId,
    status: &'static str,
    /// Rises with every change; `?wait_ms=…&rev=…` waits for the next one.
    rev: u64,
    model: ModelId,
    lane: LaneId,
    operation: Operation,
    priority: Priority,
    tenant: TenantId,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_output_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_start: Option<String>,
    /// The limit on its own time that it will miss by that, even if all goes better than it looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    will_miss: Option<&'static str>,
    calls_made: u32,
    tries: u32,
    throttles: BTreeMap<ThrottleCause, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'static str>,
    /// The lanes it left for another, first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hops: Vec<HopView>,
    /// Where its answer came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    served_by: Option<ServedBy>,
    /// The answer is the configured text, not a model's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
    /// It is called (or was at first) with a smaller max_tokens than its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    right_sized: bool,
    /// That cut an answer short: it is called again with its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rerun: bool,
    /// It waits for an operator: `smoother dlq`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dead_letter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<u32>,
    timings: Timings,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charged_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Vec<CallView>>,
    status_url: String,
    result_url: String,
}

impl JobView {
    /// A row alone, as a list shows it.
    pub fn of(row: &Request, now: Timestamp) -> Self {
        let (usage, result_bytes) = match &row.outcome {
            Some(Outcome::Answer { usage, bytes, .. }) => (usage.map(UsageView::from), Some(*bytes)),
            _ => (None, None),
        };
        Self {
            id: row.id,
            status: row.state.public(),
            rev: row.rev.get(),
            model: row.model.clone(),
            lane: row.lane.clone(),
            operation: row.operation,
            priority: row.priority,
            tenant: row.tenant.clone(),
            created_at: rfc3339::text(row.arrived_at),
            deadline: row.deadline.map(rfc3339::text),
            latest_start: row.latest_start.map(rfc3339::text),
            not_before: row.not_before.filter(|_| waits(row)).map(rfc3339::text),
            started_at: row.started_at.map(rfc3339::text),
            first_output_at: row.first_output_at.map(rfc3339::text),
            ended_at: row.ended_at.map(rfc3339::text),
            estimated_position: None,
            estimated_start: None,
            will_miss: None,
            calls_made: row.calls_made,
            tries: row.tries,
            throttles: row.throttles.clone(),
            last_error: row.last_error.map(ModelErrorKind::as_str),
            hops: row.hops.iter().map(HopView::from).collect(),
            served_by: ServedBy::of(row),
            degraded: row.degraded,
            right_sized: row.is_right_sized() || row.is_rerun(),
            rerun: row.is_rerun(),
            dead_letter: row.dead,
            redriven: Some(row.redriven).filter(|times| *times > 0),
            timings: Timings::of(row, now),
            usage,
            charged_tokens: None,
            result_bytes,
            error: failure(row).map(ErrorView::from),
            calls: None,
            status_url: format!("/v1/jobs/{}", row.id),
            result_url: format!("/v1/jobs/{}/result", row.id),
        }
    }

    /// With what its lane's scheduler expects.
    #[must_use]
    pub fn expected(mut self, row: &Request, forecast: Option<Forecast>) -> Self {
        self.estimated_position = forecast.map(|f| f.position);
        self.estimated_start = forecast.map(|f| rfc3339::text(f.start));
        // Once it has started, the wait it was promised is over.
        let latest_start = row.latest_start.filter(|_| row.calls_made == 0);
        let late = forecast.and_then(|f| f.misses(latest_start, row.deadline));
        self.will_miss = late.map(|late| match late.limit {
            Limit::MaxWait => "max_wait_ms",
            Limit::Timeout => "timeout_ms",
        });
        self
    }

    /// With its calls, and what they have cost together so far.
    #[must_use]
    pub fn with_calls(mut self, calls: &[Call]) -> Self {
        self.charged_tokens = Some(
            calls
                .iter()
                .map(Call::charge)
                .sum::<smoother_core::Tokens>()
                .get(),
        );
        self.calls = Some(calls.iter().map(CallView::from).collect());
        self
    }
}

/// Why a job has no answer, if it ended without one for a reason other than its owner's.
pub fn failure(row: &Request) -> Option<&Failure> {
    match &row.outcome {
        Some(Outcome::Failure(failure)) => Some(failure),
        _ => None,
    }
}

#[derive(Debug, Serialize)]
struct UsageView {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input.get(),
            output_tokens: usage.output.get(),
            cache_read_tokens: usage.cache_read.get(),
            cache_write_tokens: usage.cache_write.get(),
        }
    }
}

/// A final failure.
#[derive(Debug, Serialize)]
pub struct ErrorView {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    status: u16,
    exception: String,
    message: String,
}

impl From<&Failure> for ErrorView {
    fn from(failure: &Failure) -> Self {
        Self {
            kind: failure.kind.map(ModelErrorKind::as_str),
            status: failure.status,
            exception: failure.exception.clone(),
            message: failure.message.clone(),
        }
    }
}

/// A step of the chain of fallbacks.
#[derive(Debug, Serialize)]
struct HopView {
    from: LaneId,
    model: ModelId,
    /// `breaker_open`, `parked`, `retries_spent`, `too_large`, `lane_gone`, `shed`, or the kind of the error that a call met.
    cause: &'static str,
    at: String,
}

impl From<&Hopped> for HopView {
    fn from(hop: &Hopped) -> Self {
        Self {
            from: hop.from.clone(),
            model: hop.model.clone(),
            cause: match hop.cause {
                HopCause::Error(kind) => kind.as_str(),
                HopCause::BreakerOpen => "breaker_open",
                HopCause::Parked => "parked",
                HopCause::RetriesSpent => "retries_spent",
                HopCause::TooLarge => "too_large",
                HopCause::LaneGone => "lane_gone",
                HopCause::Shed => "shed",
            },
            at: rfc3339::text(hop.at),
        }
    }
}

/// The lane and the model that answered.
#[derive(Debug, Serialize)]
struct ServedBy {
    lane: LaneId,
    model: ModelId,
}

impl ServedBy {
    fn of(row: &Request) -> Option<Self> {
        let answered = matches!(row.outcome, Some(Outcome::Answer { .. })) && !row.degraded;
        answered.then(|| Self {
            lane: row.lane.clone(),
            model: row.model_to_call().clone(),
        })
    }
}

#[derive(Debug, Serialize)]
struct CallView {
    number: u32,
    lane: LaneId,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// Absent while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<CallEnding>,
    charged_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<ThrottleCause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_request_id: Option<String>,
}

impl From<&Call> for CallView {
    fn from(call: &Call) -> Self {
        let end = call.settlement.as_ref();
        Self {
            number: call.number.get(),
            lane: call.lane.clone(),
            started_at: rfc3339::text(call.charged_at),
            ended_at: end.map(|s| rfc3339::text(s.at)),
            ending: end.map(|s| s.ending),
            charged_tokens: call.charge().get(),
            usage: end.and_then(|s| s.usage).map(UsageView::from),
            throttle: end.and_then(|s| s.throttle),
            error: end.and_then(|s| s.error).map(ModelErrorKind::as_str),
            upstream_request_id: end.and_then(|s| s.upstream_request_id.clone()),
        }
    }
}
