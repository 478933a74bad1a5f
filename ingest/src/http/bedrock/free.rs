//! Operations that cost no tokens of a lane: they are passed on at once, neither queued nor stored, and answered as
//! Bedrock answers. A failure is passed on as Bedrock gave it; trying again is the caller's business.

use super::answer::pass_on;
use super::error::Exception;
use super::headers;
use super::path::{self, Guardrail};
use crate::free_lane::{self, LANE};
use crate::http::{body, header, media};
use crate::ingest::Ingest;
use crate::refusal::Refusal;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use smoother_core::config::LaneConfig;
use smoother_core::model::{FreeAnswer, FreeCall, FreeOperation, ModelError};
use smoother_core::{Millis, ModelId};
use std::sync::Arc;

/// `POST /model/{id}/count-tokens`.
pub(super) async fn count_tokens(
    ingest: &Arc<Ingest>,
    model: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let lane = free_lane::of_model(ingest.settings().routes.lanes(), model)?;
    let model = ModelId::new(model).map_err(|error| Refusal::invalid(error.to_string()))?;
    forward(ingest, &lane, FreeOperation::CountTokens { model }, headers, body).await
}

/// `POST /guardrail/{identifier}/version/{version}/apply`.
pub(super) async fn apply_guardrail(ingest: &Arc<Ingest>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Guardrail { identifier, version } = path::guardrail(parts.uri.path())?;
    let named = header::text(&parts.headers, LANE)?.map(str::trim);
    let lane = free_lane::of_guardrail(ingest.settings().routes.lanes(), &identifier, named)?;
    let operation = FreeOperation::ApplyGuardrail { identifier, version };
    forward(ingest, &lane, operation, &parts.headers, body).await
}

async fn forward(
    ingest: &Arc<Ingest>,
    lane: &LaneConfig,
    operation: FreeOperation,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    if ingest.is_draining() {
        return Err(Refusal::Stopping);
    }
    media::json(headers, media::Unnamed::IsJson)?;
    let call = FreeCall {
        lane: lane.id.clone(),
        operation,
        body: body::of_request(ingest, headers, body).await?,
        headers: headers::upstream(headers),
    };
    // The port bounds only the making of a connection.
    let answer = tokio::time::timeout(lane.chunk_timeout.into(), ingest.ports.free.forward(call)).await;
    Ok(match answer {
        Ok(Ok(answer)) => passed_on(answer),
        Ok(Err(error)) => failed(ingest, error),
        Err(_) => {
            let message = format!(
                "Bedrock did not answer within {} ms, the chunk_timeout_ms of lane {}.",
                lane.chunk_timeout.get(),
                lane.id
            );
            let soon = Some(Millis::from_secs(1));
            Exception::new(503, "ServiceUnavailableException", message).response(&ingest.fresh_id(), soon)
        }
    })
}

fn passed_on(answer: FreeAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    let headers = response.headers_mut();
    let said = HeaderValue::from_str(&answer.head.content_type)
        .ok()
        .filter(|value| !value.is_empty());
    headers.insert(
        CONTENT_TYPE,
        said.unwrap_or(HeaderValue::from_static("application/json")),
    );
    for (name, value) in &answer.head.headers {
        pass_on(headers, name, value);
    }
    response
}

fn failed(ingest: &Arc<Ingest>, error: ModelError) -> Response {
    let retry_after = error.retry_after_ms.map(Millis::new);
    let exception = Exception {
        status: error.status,
        name: error.exception,
        message: error.message,
        headers: error.headers,
    };
    exception.response(&ingest.fresh_id(), retry_after)
}
