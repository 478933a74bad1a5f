//! Errors in Bedrock's shape: the status, `x-amzn-errortype`, and `{"message": …}`.

use crate::line::Line;
use crate::refusal::Refusal;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use smoother_core::ports::StoreError;
use smoother_core::{Millis, Outcome, Request, RequestId, State};

/// What a caller who may try again is told to wait: a retry joins the request, or finds the next process.
const SOON: Millis = Millis::from_secs(1);

/// An error, not yet bound to a head or a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) status: u16,
    pub(super) name: String,
    pub(super) message: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Exception {
    fn new(status: u16, name: &str, message: String) -> Self {
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
        Refusal::SlowBody(_) => (408, "RequestTimeoutException"),
        Refusal::Conflict(_) => (409, "ConflictException"),
        Refusal::MediaType { .. } => (415, "UnsupportedMediaTypeException"),
        Refusal::Store(StoreError::Damaged(_)) => (500, "InternalServerException"),
        Refusal::Store(_) | Refusal::Lane(_) | Refusal::Stopping => (503, "ServiceUnavailableException"),
        // Bedrock answers a body over its 25 MB, too, as a member that fails its constraint.
        _ => (400, "ValidationException"),
    };
    Exception::new(status, name, refusal.to_string()).response(id, refusal.retry_after())
}

/// The caller's limit has passed and its request goes on.
pub(super) fn of_limit(line: &Line) -> Response {
    let id = line.request.id;
    let exception = if line.running {
        let message = format!("The model is still answering job {id}. A retry of the same call joins it.");
        Exception::new(503, "ServiceUnavailableException", message)
    } else {
        let message = format!(
            "Too many requests, please wait before trying again. Job {id} is still waiting for the quota of lane {}; \
             a retry of the same call joins it.",
            line.request.lane
        );
        Exception::new(429, "ThrottlingException", message)
    };
    with_job(exception.response(&id, Some(SOON)), &line.request)
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
        (_, State::Expired) if row.started_at.is_some() => {
            let message = format!("The limit of job {id} passed while the model was answering.");
            Exception::new(503, "ServiceUnavailableException", message)
        }
        (_, State::Expired) => {
            let message = format!(
                "Too many requests, please wait before trying again. The limit of job {id} passed while it waited for \
                 the quota of lane {}.",
                row.lane
            );
            Exception::new(429, "ThrottlingException", message)
        }
        _ => unreadable(&id),
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
    with_job(exception.response(&row.id, retry_after), row)
}

fn with_job(mut response: Response, row: &Request) -> Response {
    super::answer::own_headers(
        response.headers_mut(),
        row,
        row.queued_for().unwrap_or_default(),
        row.calls_made,
    );
    response
}
