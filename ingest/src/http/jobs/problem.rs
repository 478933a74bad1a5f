//! Refusals as problem details (RFC 9457).

use crate::refusal::Refusal;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: String,
    /// The configured limit that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// Seconds after which the same may be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Limit {
    name: &'static str,
    value: u64,
}

/// `application/problem+json` with `type`, `title`, `status`, `detail`, and `limit` and `retry_after` where known.
pub(in crate::http) fn of_refusal(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry_after = refusal
        .retry_after()
        .map(|span| span.get().div_ceil(1_000).max(1));
    let problem = Problem {
        kind: format!("urn:bedrock-smoother:problem:{}", refusal.reason()),
        title: refusal.title(),
        status: status.as_u16(),
        detail: refusal.to_string(),
        limit: refusal.limit().map(|(name, value)| Limit { name, value }),
        retry_after,
    };
    // Strings and numbers always serialize.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(after) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after));
    }
    response
}
