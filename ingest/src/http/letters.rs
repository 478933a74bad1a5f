//! `POST /v1/dlq/{id}/redrive`, `POST /v1/dlq/redrive`, `DELETE /v1/dlq/{id}` and `DELETE /v1/dlq`.

use super::answer::{answered, json, no_query, segment};
use super::{body, media};
use crate::ingest::Ingest;
use crate::letters::{Act, Handled, Sweep, Wish};
use crate::refusal::Refusal;
use crate::whole::whole;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json as object};
use std::sync::Arc;

/// The body of a filter is small.
const LARGEST: u64 = 1 << 16;

/// `POST /v1/dlq/{id}/redrive`.
pub(super) async fn redrive(
    State(ingest): State<Arc<Ingest>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answered(one(ingest, Act::Redrive, id, &uri, headers).await)
}

/// `DELETE /v1/dlq/{id}`.
pub(super) async fn dismiss(
    State(ingest): State<Arc<Ingest>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answered(one(ingest, Act::Drop, id, &uri, headers).await)
}

/// `POST /v1/dlq/redrive`.
pub(super) async fn redrive_many(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    answered(whole(async move { by_body(&ingest, request).await }).await)
}

/// `DELETE /v1/dlq?lane=…`.
pub(super) async fn dismiss_many(
    State(ingest): State<Arc<Ingest>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answered(whole(async move { by_query(&ingest, &uri, &headers).await }).await)
}

async fn one(
    ingest: Arc<Ingest>,
    act: Act,
    id: Result<Path<String>, PathRejection>,
    uri: &Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    no_query(uri.query())?;
    let id = segment(id)?.parse()?;
    let tenant = ingest.tenant_of(&headers)?;
    let handled = whole(async move { ingest.handle(act, &tenant, id).await }).await?;
    Ok(told(act, &handled))
}

async fn by_body(ingest: &Ingest, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    no_query(parts.uri.query())?;
    media::json(&parts.headers, media::Unnamed::IsRefused)?;
    let body = body::read(&parts.headers, body, LARGEST).await?;
    let wish = Wish::of_body(&body, ingest.tenant_of(&parts.headers)?)?;
    Ok(swept(Act::Redrive, &ingest.sweep(Act::Redrive, wish).await?))
}

async fn by_query(ingest: &Ingest, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
    let Query(pairs) = Query::try_from_uri(uri).map_err(|error| Refusal::invalid(error.body_text()))?;
    let wish = Wish::of_query(pairs, ingest.tenant_of(headers)?)?;
    Ok(swept(Act::Drop, &ingest.sweep(Act::Drop, wish).await?))
}

const fn member(act: Act) -> &'static str {
    match act {
        Act::Redrive => "redriven",
        Act::Drop => "dropped",
    }
}

/// 202 for one that is on its way again; 200 where nothing is left to come.
fn told(act: Act, handled: &Handled) -> Response {
    let Handled { row, now } = handled;
    let mut said = object!({
        "id": row.id,
        "status": row.state.public(),
        "lane": row.lane,
        "times_redriven": row.redriven,
        "status_url": format!("/v1/jobs/{}", row.id),
    });
    said[member(act)] = Value::Bool(*now);
    let status = match (act, now) {
        (Act::Redrive, true) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    json(status, &said)
}

fn swept(act: Act, sweep: &Sweep) -> Response {
    let refused = sweep
        .refused
        .iter()
        .map(|(id, refusal)| object!({"id": id, "reason": refusal.reason(), "detail": refusal.to_string()}));
    let mut said = object!({
        "unchanged": sweep.unchanged,
        "refused": refused.collect::<Vec<_>>(),
        "next_cursor": sweep.next,
    });
    said[member(act)] = sweep.handled.into();
    json(StatusCode::OK, &said)
}
