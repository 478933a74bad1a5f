//! Bedrock's own wire: `POST /model/{id}/{operation}` and `POST /guardrail/{id}/version/{version}/apply`, answered
//! as Bedrock answers.

mod answer;
mod error;
mod frame;
mod free;
mod headers;
mod path;
mod stream;

use super::{body, media};
use crate::enter::Entry;
use crate::ingest::Ingest;
use crate::line::{Line, Word};
use crate::meters;
use crate::refusal::Refusal;
use crate::submission::Submission;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use path::Asked;
use smoother_core::{Door, OnIndeterminate, quoted};
use std::sync::Arc;

/// One call, from its first byte to the head of its answer.
pub(super) async fn call(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let answered = take(&ingest, request).await;
    answered.unwrap_or_else(|refusal| refused(&ingest, &refusal))
}

/// A text held against a guardrail.
pub(super) async fn guardrail(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let answered = free::apply_guardrail(&ingest, request).await;
    answered.unwrap_or_else(|refusal| refused(&ingest, &refusal))
}

fn refused(ingest: &Arc<Ingest>, refusal: &Refusal) -> Response {
    meters::refused(refusal);
    error::of_refusal(refusal, &ingest.fresh_id())
}

/// Any other method; the router adds `allow`.
pub(super) async fn not_post(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let path = request.uri().path();
    let said = quoted(&format!("{} {path}", request.method()));
    let refusal = if path::parse(path).is_ok() || path::guardrail(path).is_ok() {
        Refusal::Method(said)
    } else {
        Refusal::UnknownOperation(said)
    };
    refused(&ingest, &refusal)
}

async fn take(ingest: &Arc<Ingest>, request: Request) -> Result<Response, Refusal> {
    if ingest.is_draining() {
        return Err(Refusal::Stopping);
    }
    let (parts, body) = request.into_parts();
    let target = path::parse(parts.uri.path())?;
    let operation = match target.asked {
        Asked::Operation(operation) => operation,
        Asked::CountTokens => return free::count_tokens(ingest, &target.model, &parts.headers, body).await,
    };
    if operation.is_converse() {
        media::json(&parts.headers, media::Unnamed::IsJson)?;
    } else {
        media::of_model(&parts.headers)?;
    }
    let said = headers::read(&parts.headers)?;
    let body = body::of_request(ingest, &parts.headers, body).await?;
    let submission = Submission {
        tenant: ingest.tenant_of(&parts.headers)?,
        model: target.model,
        operation,
        body,
        door: Door::Sync,
        priority: said.priority,
        hint: said.hint,
        timeout: said.timeout,
        max_wait: said.max_wait,
        key: said.key,
        headers: said.upstream,
        fallback: said.fallback,
        right_size: said.right_size,
        on_disconnect: said.on_disconnect,
        on_indeterminate: OnIndeterminate::Retry,
    };
    match ingest.call(submission).await? {
        Entry::Over(row) => Ok(answer::of_row(ingest, &row, None).await),
        Entry::Open(line) => wait(ingest, *line).await,
    }
}

async fn wait(ingest: &Arc<Ingest>, mut line: Line) -> Result<Response, Refusal> {
    let will_miss = line.will_miss;
    let mut response = match line.first_word().await? {
        Word::Frame(first) => stream::begin(line, first),
        Word::Ended(ended) => answer::of_row(ingest, &ended.request, ended.result.clone()).await,
        Word::Over(row) => answer::of_row(ingest, &row, None).await,
        Word::Limit => {
            let (lane, id) = (line.request.lane.clone(), line.request.id);
            let forecast = ingest.ports.views.forecast(&lane, id).await;
            error::of_limit(&line, forecast, ingest.ports.clock.now())
        }
    };
    if let Some(limit) = will_miss {
        let name = HeaderName::from_static("x-smoother-will-miss");
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(limit));
    }
    Ok(response)
}
