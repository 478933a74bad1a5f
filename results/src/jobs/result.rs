//! `GET /v1/jobs/{id}/result`: the model's answer, byte for byte.
//!
//! | state | answer |
//! |---|---|
//! | COMPLETED | 200, the payload with Bedrock's content type and headers |
//! | not terminal | 202, the job, `retry-after` |
//! | FAILED, CANCELLED, EXPIRED | 409, a problem with the failure in it |
//! | COMPLETED, its payload past retention | 410 |

use super::timings::waits;
use super::view::{ErrorView, failure};
use crate::access::{Ask, Caller, JobId};
use crate::problem::Problem;
use crate::router::App;
use crate::service::Results;
use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use smoother_core::ports::PayloadKind;
use smoother_core::{Millis, ModelHead, Outcome, Request, State};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    wait_ms: Option<u64>,
}

pub async fn handle(
    Shared(app): Shared<App>,
    Caller(tenant): Caller,
    JobId(id): JobId,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    let results = &app.results;
    let row = results.row(&tenant, id).await?;
    let most = Millis::new(query.wait_ms.unwrap_or(0));
    let row = results.once(row, most, |row| row.state.is_terminal()).await?;
    match &row.outcome {
        Some(Outcome::Answer { head, .. }) => results.answer(&row, head).await,
        _ if row.state.is_terminal() => Err(no_answer(&row)),
        _ => results.not_ready(&row).await,
    }
}

impl Results {
    async fn answer(&self, row: &Request, head: &ModelHead) -> Result<Response, Problem> {
        let Some(payload) = self.ports.payloads.fetch(row.id, PayloadKind::Result).await? else {
            return Err(Problem::new(
                StatusCode::GONE,
                "result-gone",
                "The result is no longer kept",
                format!("The result of job {} has passed its retention.", row.id),
            ));
        };
        let mut response = Response::new(Body::from(payload));
        *response.headers_mut() = headers(row, head);
        Ok(response)
    }

    async fn not_ready(&self, row: &Request) -> Result<Response, Problem> {
        let forecast = if waits(row) {
            self.ports.views.forecast(&row.lane, row.id).await
        } else {
            None
        };
        let wait = forecast.map_or(Millis::ZERO, |f| f.start.since(self.ports.clock.now()));
        let seconds = wait.get().div_ceil(1_000).clamp(1, 60);
        let job = Json(self.describe(row).await?);
        Ok((
            StatusCode::ACCEPTED,
            [(header::RETRY_AFTER, HeaderValue::from(seconds))],
            job,
        )
            .into_response())
    }
}

/// Bedrock's own headers, then the smoother's.
fn headers(row: &Request, head: &ModelHead) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let own = [
        ("content-type", head.content_type.clone()),
        ("x-smoother-job-id", row.id.to_string()),
        ("x-smoother-calls", row.calls_made.to_string()),
        ("x-smoother-model", row.model_to_call().to_string()),
        (
            "x-smoother-queue-ms",
            row.queued_for().unwrap_or_default().get().to_string(),
        ),
    ];
    let passed = head
        .headers
        .iter()
        .filter(|(name, _)| !framing(name))
        .map(|(name, value)| (name.as_str(), value.clone()));
    let degraded = row.degraded.then(|| ("x-smoother-degraded", "true".to_owned()));
    for (name, value) in passed.chain(own).chain(degraded) {
        // A stored header that HTTP cannot carry is left out; the payload is what was asked for.
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Headers that belong to the upstream connection, not to the answer.
fn framing(name: &str) -> bool {
    [
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "date",
    ]
    .iter()
    .any(|own| name.eq_ignore_ascii_case(own))
}

fn no_answer(row: &Request) -> Problem {
    let (kind, title) = match row.state {
        State::Cancelled => ("job-cancelled", "The job was cancelled"),
        State::Expired => ("job-expired", "The job's deadline passed"),
        _ => ("job-failed", "The job failed"),
    };
    let detail = match failure(row) {
        Some(failure) => format!("{}: {}", failure.exception, failure.message),
        None => format!("Job {} ended {} and has no result.", row.id, row.state),
    };
    let problem = Problem::new(StatusCode::CONFLICT, kind, title, detail).with("job", json!(row.id));
    match failure(row) {
        Some(failure) => problem.with("error", json!(ErrorView::from(failure))),
        None => problem,
    }
}
