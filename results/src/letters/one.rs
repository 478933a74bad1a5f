//! `GET /v1/dlq/{id}`: why it failed, its calls and hops, the states it has passed; with `?body=true` its body.

use super::view::LetterView;
use crate::access::{Ask, Caller, JobId};
use crate::problem::Problem;
use crate::router::App;
use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use smoother_core::Request;
use smoother_core::ports::PayloadKind;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default)]
    body: bool,
}

pub async fn handle(
    Shared(app): Shared<App>,
    Caller(tenant): Caller,
    JobId(id): JobId,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    let row = app.results.row(&tenant, id).await?;
    if !row.dead {
        return Err(not_dead(&row));
    }
    if query.body {
        return body(&app, &row).await;
    }
    let job = app.results.describe(&row).await?;
    let events = app.results.ports.store.events(id).await?;
    Ok(Json(LetterView::with(job, &row).with_events(&events)).into_response())
}

/// The body as its caller sent it.
async fn body(app: &App, row: &Request) -> Result<Response, Problem> {
    let kept = app
        .results
        .ports
        .payloads
        .fetch(row.id, PayloadKind::Body)
        .await?;
    let Some(body) = kept else {
        return Err(Problem::new(
            StatusCode::GONE,
            "body-gone",
            "The body is no longer kept",
            format!("The body of job {} is no longer in the store.", row.id),
        ));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (HeaderName::from_static("x-smoother-job-id"), row.id.to_string()),
    ];
    Ok((headers, Body::from(body)).into_response())
}

fn not_dead(row: &Request) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-dead-letter",
        "The job is no dead letter",
        format!(
            "Job {} is {} and no dead letter; GET /v1/jobs/{} says where it stands.",
            row.id,
            row.state.public(),
            row.id
        ),
    )
}
