//! The job API: `POST /v1/jobs` answers 202 once the job is durable; `DELETE /v1/jobs/{id}` calls it off.

pub(super) mod problem;
pub(super) mod status;

use super::answer::{answered, no_query, segment};
use super::header::{self, text};
use super::{body, media, uploads};
use crate::ingest::Ingest;
use crate::job::JobForm;
use crate::refusal::Refusal;
use crate::whole::whole;
use crate::{pointed, priority, spans};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use smoother_core::RequestId;
use smoother_core::ports::ChangeError;
use std::sync::Arc;

/// `POST /v1/jobs`.
pub(super) async fn submit(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    answered(whole(async move { accept(&ingest, request).await }).await)
}

/// `DELETE /v1/jobs/{id}`.
pub(super) async fn cancel(
    State(ingest): State<Arc<Ingest>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answered(
        match segment(id).and_then(|id| no_query(uri.query()).map(|()| id)) {
            Ok(id) => whole(async move { call_off(&ingest, &id, &headers).await }).await,
            Err(refusal) => Err(refusal),
        },
    )
}

async fn accept(ingest: &Arc<Ingest>, request: Request) -> Result<Response, Refusal> {
    if ingest.is_draining() {
        return Err(Refusal::Stopping);
    }
    let (parts, body) = request.into_parts();
    no_query(parts.uri.query())?;
    media::json(&parts.headers, media::Unnamed::IsRefused)?;
    let tenant = ingest.tenant_of(&parts.headers)?;
    let mut body = body::of_request(ingest, &parts.headers, body).await?;
    if let Some(places) = &ingest.ports.uploads {
        body = pointed::text(&**places, body, uploads::most(ingest)).await?;
    }
    let form = with_headers(JobForm::parse(&body)?, &parts.headers)?;
    let mut submission = form.submission(tenant)?;
    submission.headers = header::of_operation(&parts.headers);
    submission.hint = header::tier(&parts.headers)?;
    let accepted = ingest.submit(submission).await?;
    Ok(status::accepted(ingest, &accepted).await)
}

/// Headers say the same as fields; where both speak they must agree.
fn with_headers(mut form: JobForm, headers: &HeaderMap) -> Result<JobForm, Refusal> {
    if let Some(word) = text(headers, "x-smoother-priority")? {
        let said = priority::parse("x-smoother-priority", word)?;
        agree("priority", &mut form.priority, said)?;
    }
    for (name, field, span) in [
        ("x-smoother-timeout-ms", "timeout_ms", &mut form.timeout),
        ("x-smoother-max-wait-ms", "max_wait_ms", &mut form.max_wait),
    ] {
        if let Some(word) = text(headers, name)? {
            agree(field, span, spans::parse(name, word, spans::LONGEST_JOB)?)?;
        }
    }
    if let Some(key) = text(headers, "idempotency-key")? {
        agree("idempotency_key", &mut form.key, key.to_owned())?;
    }
    if let Some(lanes) = header::fallback(headers)? {
        agree("fallback", &mut form.fallback, lanes)?;
    }
    if let Some(wanted) = header::right_size(headers)? {
        agree("right_size", &mut form.right_size, wanted)?;
    }
    Ok(form)
}

fn agree<T: PartialEq>(field: &str, had: &mut Option<T>, said: T) -> Result<(), Refusal> {
    if had.as_ref().is_some_and(|had| *had != said) {
        return Err(Refusal::invalid(format!(
            "{field} and its header differ; give one of them."
        )));
    }
    *had = Some(said);
    Ok(())
}

async fn call_off(ingest: &Arc<Ingest>, id: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let id: RequestId = id.parse()?;
    let tenant = ingest.tenant_of(headers)?;
    let row = ingest.ports.store.get(id).await?;
    // Another tenant's job is none that this caller could know of.
    if row.is_none_or(|row| row.tenant != tenant) {
        return Err(Refusal::UnknownJob(id));
    }
    match ingest.cancel(id).await {
        Ok(row) => Ok(status::cancelled(&row)),
        Err(ChangeError::NotFound(id)) => Err(Refusal::UnknownJob(id)),
        Err(ChangeError::Store(error)) => Err(error.into()),
        Err(ChangeError::Refused(why)) => Err(Refusal::invalid(why.to_string())),
    }
}
