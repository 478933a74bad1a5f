//! What a job's door answers of a job.

use crate::ingest::Ingest;
use crate::submission::Accepted;
use axum::body::Body;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use smoother_core::{Request, Timestamp};
use std::sync::Arc;

#[derive(Serialize)]
struct Job<'a> {
    id: String,
    status: &'static str,
    status_url: String,
    result_url: String,
    lane: &'a str,
    model: &'a str,
    operation: &'static str,
    priority: &'static str,
    /// Requests expected to start before it, plus one; 0 once it waits no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_position: Option<u64>,
    /// When it is expected to start, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_start: Option<String>,
    /// The limit on its own time that it will miss by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    will_miss: Option<&'static str>,
}

impl<'a> Job<'a> {
    fn of(row: &'a Request) -> Self {
        let status_url = format!("/v1/jobs/{}", row.id);
        Self {
            id: row.id.to_string(),
            status: row.state.public(),
            result_url: format!("{status_url}/result"),
            status_url,
            lane: row.lane.as_str(),
            model: row.model.as_str(),
            operation: row.operation.as_str(),
            priority: row.priority.as_str(),
            estimated_position: None,
            estimated_start: None,
            will_miss: None,
        }
    }

    fn response(&self, status: StatusCode) -> Response {
        // Strings and numbers always serialize.
        let mut response = Response::new(Body::from(serde_json::to_vec(self).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::ACCEPTED
            && let Ok(place) = HeaderValue::from_str(&self.status_url)
        {
            headers.insert(LOCATION, place);
        }
        response
    }
}

/// 202 with where the job stands; 200 for one that was known and has ended.
pub(super) async fn accepted(ingest: &Arc<Ingest>, accepted: &Accepted) -> Response {
    let row = &accepted.request;
    let mut job = Job::of(row);
    if row.state.is_terminal() {
        return job.response(StatusCode::OK);
    }
    let forecast = ingest.ports.views.forecast(&row.lane, row.id).await;
    let (position, start) = match forecast {
        Some(forecast) => (forecast.position, forecast.start),
        None => (0, ingest.ports.clock.now()),
    };
    job.estimated_position = Some(position);
    job.estimated_start = rfc3339(start);
    job.will_miss = accepted.will_miss;
    job.response(StatusCode::ACCEPTED)
}

/// 200 with the state it has now.
pub(super) fn cancelled(row: &Request) -> Response {
    Job::of(row).response(StatusCode::OK)
}

/// `None` for a moment past what a date can say: it is not expected to start.
pub(in crate::http) fn rfc3339(at: Timestamp) -> Option<String> {
    let ms = i64::try_from(at.as_millis()).ok()?;
    Some(DateTime::from_timestamp_millis(ms)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}
