//! Errors in Bedrock's shape: the status, `x-amzn-errortype`, and `{"message": …}`.

use crate::line::Line;
use crate::patience::{Expiry, waited};
use crate::refusal::Refusal;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use smoother_core::ports::StoreError;
use smoother_core::scheduler::Forecast;
use smoother_core::{Millis, Outcome, Request, RequestId, State, Timestamp};

/// What a caller who may try again is told to wait: a retry joins the request, or finds the next process.
const SOON: Millis = Millis::from_secs(1);
/// The longest that a forecast is believed.
const LATEST: Millis = Millis::from_secs(15 * 60);

/// An error, not yet bound to a head or a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) status: u16,
    pub(super) name: String,
    pub(super) message: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Exception {
    pub(super) fn new(status: u16, name: &str, message: String) -> Self {
        Self {
            status,
            name: name.to_owned(),
            message,
            headers: Vec::new(),
        }
    }

    /// Its body, also inside a stream.
    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::json!({ "message": self.message })
            .to_string()
            .into_bytes()
    }

    pub(super) fn response(&self, id: &RequestId, retry_after: Option<Millis>) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            super::answer::pass_on(headers, name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(name) = HeaderValue::from_str(&self.name) {
            headers.insert(HeaderName::from_static("x-amzn-errortype"), name);
        }
        let request_id = HeaderName::from_static("x-amzn-requestid");
        if !headers.contains_key(&request_id)
            && let Ok(id) = HeaderValue::from_str(&id.to_string())
        {
            headers.insert(request_id, id);
        }
        if let Some(after) = retry_after
            && !headers.contains_key(RETRY_AFTER)
        {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.get().div_ceil(1_000).max(1)));
        }
        response
    }
}

/// A refusal. Nothing was stored, so the id in `x-amzn-requestid` names the exchange only.
pub(super) fn of_refusal(refusal: &Refusal, id: &RequestId) -> Response {
    let (status, name) = match refusal {
        Refusal::UnknownOperation(_) => (404, "UnknownOperationException"),
        Refusal::Method(_) => (405, "MethodNotAllowedException"),
        Refusal::SlowBody(_) => (408, "RequestTimeoutException"),
        Refusal::Conflict(_) => (409, "ConflictException"),
        Refusal::MediaType { .. } => (415, "UnsupportedMediaTypeException"),
        Refusal::Full { .. } | Refusal::TooLate { .. } => (429, "ThrottlingException"),
        Refusal::Store(StoreError::Damaged(_)) => (500, "InternalServerException"),
        Refusal::Store(_) | Refusal::Lane(_) | Refusal::Stopping => (503, "ServiceUnavailableException"),
        // Bedrock answers a body over its 25 MB, too, as a member that fails its constraint.
        _ => (400, "ValidationException"),
    };
    Exception::new(status, name, refusal.to_string()).response(id, refusal.retry_after())
}

/// The caller's limit has passed before its request has ended.
pub(super) fn of_limit(line: &Line, forecast: Option<Forecast>, now: Timestamp) -> Response {
    let (row, limit) = (&line.request, line.patience.limit);
    let (id, lane) = (row.id, &row.lane);
    let (next, joins) = if line.presence.is_the_only_use() {
        ("It is called off, as no retry could join it.".to_owned(), false)
    } else if line.patience.returns {
        ("A retry of the same call joins it.".to_owned(), true)
    } else {
        (
            format!("It goes on; GET /v1/jobs/{id}/result has its answer."),
            false,
        )
    };
    let exception = if line.running {
        let message = format!("{limit} passed while the model was answering job {id}. {next}");
        Exception::new(503, "ServiceUnavailableException", message)
    } else {
        let waited = waited(row, now).get();
        let message = format!(
            "Too many requests, please wait before trying again. {limit} passed: job {id} has waited {waited} ms for \
             the quota of lane {lane}. {next}"
        );
        Exception::new(429, "ThrottlingException", message)
    };
    let mut retry_after = SOON;
    let mut queued_for = line.queued_for;
    if !line.running {
        queued_for = waited(row, now);
        // Whoever cannot join the request comes back when it would have started, not earlier.
        if let Some(forecast) = forecast.filter(|_| !joins) {
            retry_after = forecast.start.since(now).clamp(SOON, LATEST);
        }
    }
    let response = exception.response(&id, Some(retry_after));
    with_job(response, row, queued_for, line.call.get())
}

/// The error that a request ended with; for one that ended with an answer there is none.
pub(super) fn of_end(row: &Request) -> Exception {
    let id = row.id;
    match (&row.outcome, row.state) {
        (Some(Outcome::Failure(failure)), _) => Exception {
            status: failure.status,
            name: failure.exception.clone(),
            message: failure.message.clone(),
            headers: failure.headers.clone(),
        },
        (_, State::Cancelled) => Exception::new(
            409,
            "ConflictException",
            format!("Job {id} was cancelled before it was answered."),
        ),
        (_, State::Expired) => expired(row, &Expiry::of(row)),
        _ => unreadable(&id),
    }
}

fn expired(row: &Request, expiry: &Expiry) -> Exception {
    let (id, after) = (row.id, expiry.after.get());
    let limit = expiry
        .limit
        .map_or_else(|| "Its limit".to_owned(), |limit| limit.to_string());
    if expiry.waiting {
        let message = format!(
            "Too many requests, please wait before trying again. {limit} passed: job {id} waited {after} ms for the \
             quota of lane {}.",
            row.lane
        );
        Exception::new(429, "ThrottlingException", message)
    } else {
        let message =
            format!("{limit} passed while the model was answering job {id}, {after} ms after it came.");
        Exception::new(503, "ServiceUnavailableException", message)
    }
}

/// The answer exists no more, or cannot be read.
pub(super) fn unreadable(id: &RequestId) -> Exception {
    Exception::new(
        500,
        "InternalServerException",
        format!("The answer of job {id} cannot be read any more."),
    )
}

/// The whole response for a request that ended without an answer.
pub(super) fn response_of(exception: &Exception, row: &Request) -> Response {
    let retry_after = matches!(exception.status, 429 | 503).then_some(SOON);
    let waited_in_vain = row.state == State::Expired && Expiry::of(row).waiting;
    let queued_for = row
        .queued_for()
        .filter(|_| !waited_in_vain)
        .unwrap_or_else(|| waited(row, row.arrived_at));
    let response = exception.response(&row.id, retry_after);
    with_job(response, row, queued_for, row.calls_made)
}

fn with_job(mut response: Response, row: &Request, queued_for: Millis, calls: u32) -> Response {
    super::answer::own_headers(response.headers_mut(), row, queued_for, calls);
    response
}
