//! Whole answers: the stored head and body, as Bedrock sent them, and the smoother's own headers.

use super::error;
use crate::ingest::Ingest;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use smoother_core::ports::PayloadKind;
use smoother_core::{Millis, ModelHead, Outcome, Request, RequestId};
use std::sync::Arc;

/// The answer of a request that has ended; `result` where it is at hand. For an operation that streams it is the
/// concatenation of its frames.
pub(super) async fn of_row(ingest: &Arc<Ingest>, row: &Request, result: Option<Bytes>) -> Response {
    let Some(Outcome::Answer { head, .. }) = &row.outcome else {
        return error::response_of(&error::of_end(row), row);
    };
    let body = match result {
        Some(body) => Some(body),
        None => ingest
            .ports
            .payloads
            .fetch(row.id, PayloadKind::Result)
            .await
            .unwrap_or_else(|error| {
                tracing::error!(request = %row.id, %error, "a result could not be read");
                None
            }),
    };
    let Some(body) = body else {
        return error::response_of(&error::unreadable(&row.id), row);
    };
    let mut response = Response::new(Body::from(body));
    let queued_for = row.queued_for().unwrap_or_default();
    write_head(response.headers_mut(), head, row, queued_for, row.calls_made);
    response
}

/// Bedrock's headers and ours.
pub(super) fn write_head(
    headers: &mut HeaderMap,
    head: &ModelHead,
    row: &Request,
    queued_for: Millis,
    calls: u32,
) {
    let usual = if row.operation.streams() {
        "application/vnd.amazon.eventstream"
    } else {
        "application/json"
    };
    let said = HeaderValue::from_str(&head.content_type)
        .ok()
        .filter(|value| !value.is_empty());
    headers.insert(CONTENT_TYPE, said.unwrap_or(HeaderValue::from_static(usual)));
    for (name, value) in &head.headers {
        pass_on(headers, name, value);
    }
    own_headers(headers, row, queued_for, calls);
}

/// The smoother's own headers.
pub(super) fn own_headers(headers: &mut HeaderMap, row: &Request, queued_for: Millis, calls: u32) {
    if let Ok(id) = HeaderValue::from_str(&row.id.to_string()) {
        headers.insert(HeaderName::from_static("x-smoother-job-id"), id);
    }
    // A stream that another lane serves brings the model with its head.
    if let Ok(model) = HeaderValue::from_str(row.model_to_call().as_str()) {
        let name = HeaderName::from_static("x-smoother-model");
        headers.entry(name).or_insert(model);
    }
    if row.degraded {
        let name = HeaderName::from_static("x-smoother-degraded");
        headers.insert(name, HeaderValue::from_static("true"));
    }
    headers.insert(
        HeaderName::from_static("x-smoother-queue-ms"),
        HeaderValue::from(queued_for.get()),
    );
    headers.insert(
        HeaderName::from_static("x-smoother-calls"),
        HeaderValue::from(calls),
    );
}

/// One of Bedrock's headers, unless it belongs to the connection it came over.
pub(super) fn pass_on(headers: &mut HeaderMap, name: &str, value: &str) {
    const OF_THE_CONNECTION: [&str; 6] = [
        "connection",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "transfer-encoding",
    ];
    if OF_THE_CONNECTION.contains(&name) {
        return;
    }
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_str(value),
    ) {
        headers.insert(name, value);
    }
}

impl Ingest {
    /// An id that is used once.
    pub(super) fn fresh_id(&self) -> RequestId {
        RequestId::fresh(self.ports.clock.now(), self.ports.entropy.bytes())
    }
}
