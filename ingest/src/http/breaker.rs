//! `POST /v1/lanes/{id}/breaker` with `{"state": "open" | "closed" | "auto"}`.

use super::answer::{answered, json, no_query, segment};
use super::{body, media};
use crate::ingest::Ingest;
use crate::json as reading;
use crate::refusal::Refusal;
use crate::whole::whole;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json as object;
use smoother_core::breaker::Hand;
use smoother_core::{LaneId, quoted};
use std::sync::Arc;

const LARGEST: u64 = 1 << 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    state: String,
}

/// The door.
pub(super) async fn hold(
    State(ingest): State<Arc<Ingest>>,
    lane: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    answered(whole(async move { set(&ingest, lane, request).await }).await)
}

async fn set(
    ingest: &Ingest,
    lane: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    no_query(parts.uri.query())?;
    let lane = LaneId::new(&segment(lane)?).map_err(|error| Refusal::invalid(format!("{error}.")))?;
    media::json(&parts.headers, media::Unnamed::IsRefused)?;
    let body = body::read(&parts.headers, body, LARGEST).await?;
    let form: Form = reading::object(reading::text(&body)?)?;
    let view = ingest.hold_breaker(&lane, hand(&form.state)?).await?;
    let said = object!({
        "lane": lane,
        "breaker": {"state": view.state, "by_hand": view.by_hand, "opened": view.opened},
    });
    Ok(json(StatusCode::OK, &said))
}

fn hand(word: &str) -> Result<Option<Hand>, Refusal> {
    match word {
        "open" => Ok(Some(Hand::Open)),
        "closed" => Ok(Some(Hand::Closed)),
        "auto" => Ok(None),
        other => Err(Refusal::invalid(format!(
            "state is {:?}; allowed are open, closed and auto.",
            quoted(other)
        ))),
    }
}
