//! `GET /v1/lanes`, `/v1/lanes/{id}` and `/v1/models`.

use crate::access::Lane;
use crate::problem::Problem;
use crate::rfc3339;
use crate::router::App;
use crate::service::Results;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use smoother_core::breaker::{BreakerView, Phase};
use smoother_core::config::LaneConfig;
use smoother_core::scheduler::{LaneView, LimitView, WaitingView};
use smoother_core::{LaneId, ModelId};
use std::collections::BTreeMap;

/// A lane as callers read it: its scheduler's view, moments in RFC 3339, and what it serves.
#[derive(Debug, Serialize)]
pub struct LaneAnswer {
    lane: LaneId,
    at: String,
    models: Vec<ModelId>,
    region: Option<String>,
    pacing: String,
    tokens: LimitView,
    requests: Option<LimitView>,
    day: Option<LimitView>,
    concurrency: LimitView,
    released: u64,
    running: u64,
    waiting: BTreeMap<String, WaitingView>,
    throttles: BTreeMap<String, u64>,
    breaker: BreakerAnswer,
    /// Retries after transient errors that could go at once.
    retries_left: u64,
    /// How often one was put off because none was left.
    retries_put_off: u64,
    /// Requests sent on to another lane, or answered degraded, without a call.
    sent_on: u64,
    /// Requests that made room for others of a higher priority.
    shed: u64,
    /// The lanes its requests go on in.
    fallback: Vec<LaneId>,
    /// It serves only what falls back to it.
    standby: bool,
    parked_until: Option<String>,
    learned_ceiling: Option<u64>,
    /// What other clients of the account are taken to use of the quota, in percent.
    others_percent: u32,
    /// The limiters that releases are paced for.
    limiters: Vec<String>,
}

impl LaneAnswer {
    fn new(view: LaneView, config: Option<&LaneConfig>) -> Self {
        Self {
            lane: view.lane,
            at: rfc3339::text(view.at),
            models: config.map(|c| c.models.clone()).unwrap_or_default(),
            region: config.map(|c| c.region.clone()),
            pacing: view.pacing,
            tokens: view.tokens,
            requests: view.requests,
            day: view.day,
            concurrency: view.concurrency,
            released: view.released,
            running: view.running,
            waiting: view.waiting,
            throttles: view.throttles,
            breaker: BreakerAnswer::from(view.breaker),
            retries_left: view.retries_left,
            retries_put_off: view.retries_put_off,
            sent_on: view.sent_on,
            shed: view.shed,
            fallback: config.map(|c| c.fallback.lanes.clone()).unwrap_or_default(),
            standby: config.is_some_and(|c| c.fallback.standby),
            parked_until: view.parked_until.map(rfc3339::text),
            learned_ceiling: view.learned_ceiling.map(|c| c.get()),
            others_percent: view.others_percent,
            limiters: view.limiters,
        }
    }
}

/// A lane's circuit breaker; the counts are of its window.
#[derive(Debug, Serialize)]
pub struct BreakerAnswer {
    state: Phase,
    until: Option<String>,
    by_hand: bool,
    calls: u64,
    failed: u64,
    slow: u64,
    opened: u64,
}

impl From<BreakerView> for BreakerAnswer {
    fn from(view: BreakerView) -> Self {
        Self {
            state: view.state,
            until: view.until.map(rfc3339::text),
            by_hand: view.by_hand,
            calls: view.calls,
            failed: view.failed,
            slow: view.slow,
            opened: view.opened,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct LanesAnswer {
    lanes: Vec<LaneAnswer>,
}

/// Every lane; one whose scheduler does not answer is left out rather than failing the rest, and so is one that the
/// configuration no longer names, as soon as nothing is left in it.
pub async fn list(State(app): State<App>) -> Json<LanesAnswer> {
    let mut lanes = Vec::new();
    for id in app.results.ports.views.lanes() {
        match app.results.ports.views.view(&id).await {
            Some(view) => {
                let config = app.results.lane(&id);
                if config.is_some() || is_in_use(&view) {
                    lanes.push(LaneAnswer::new(view, config.as_ref()));
                }
            }
            None => {
                tracing::warn!(lane = %id, "the lane's scheduler did not answer; it is left out of the list");
            }
        }
    }
    Json(LanesAnswer { lanes })
}

pub async fn one(State(app): State<App>, Lane(id): Lane) -> Result<Json<LaneAnswer>, Problem> {
    match app.results.ports.views.view(&id).await {
        Some(view) => Ok(Json(LaneAnswer::new(view, app.results.lane(&id).as_ref()))),
        None => Err(app.results.unknown_lane(&id)),
    }
}

fn is_in_use(view: &LaneView) -> bool {
    view.running > 0 || view.released > 0 || view.waiting.values().any(|band| band.requests > 0)
}

impl Results {
    pub(crate) fn unknown_lane(&self, id: &LaneId) -> Problem {
        let known: Vec<String> = self.ports.views.lanes().iter().map(ToString::to_string).collect();
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-lane",
            "There is no such lane",
            format!("No lane is named {id}; there are: {}.", known.join(", ")),
        )
    }
}

/// A model id and the limits of a lane that serves it.
#[derive(Debug, Serialize)]
pub struct ModelAnswer {
    id: ModelId,
    lane: LaneId,
    /// The lane serves only what falls back to it: a model of standby lanes alone cannot be asked for.
    standby: bool,
    region: String,
    tokens_per_minute: u64,
    requests_per_minute: Option<u64>,
    tokens_per_day: Option<u64>,
    max_concurrency: u32,
    max_output_tokens: u64,
    output_burndown: u64,
}

#[derive(Debug, Serialize)]
pub struct ModelsAnswer {
    models: Vec<ModelAnswer>,
}

pub async fn models(State(app): State<App>) -> Json<ModelsAnswer> {
    let lanes = app.results.lanes();
    let models = lanes
        .iter()
        .flat_map(|lane| lane.models.iter().map(move |model| (model, lane)))
        .map(|(model, lane)| ModelAnswer {
            id: model.clone(),
            lane: lane.id.clone(),
            standby: lane.fallback.standby,
            region: lane.region.clone(),
            tokens_per_minute: lane.tokens_per_minute.get(),
            requests_per_minute: lane.requests_per_minute.map(|q| q.get()),
            tokens_per_day: lane.tokens_per_day.map(|q| q.get()),
            max_concurrency: lane.max_concurrency,
            max_output_tokens: lane.max_output_tokens,
            output_burndown: lane.output_burndown,
        })
        .collect();
    Json(ModelsAnswer { models })
}
