//! `POST /v1/uploads`: a place for a job that is too large for this door. There where there are such places.
//!
//! ```json
//! {"bytes": 7340032}
//! {"s3": {"bucket": "…", "key": "…"}, "put": {"url": "…", "headers": {…}}, "expires_at": "…"}
//! ```
//! The job is sent to the URL by `PUT`, with those headers; then `{"s3": …}` is sent to `POST /v1/jobs` in its place.

use super::answer::{answered, json, no_query};
use super::jobs::status::rfc3339;
use super::{body, media};
use crate::ingest::Ingest;
use crate::json as texts;
use crate::refusal::Refusal;
use crate::whole::whole;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use smoother_core::ports::{Pointer, Uploads};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    bytes: u64,
}

#[derive(Serialize)]
struct Place<'a> {
    s3: &'a Pointer,
    put: Put<'a>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Put<'a> {
    url: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
}

/// `POST /v1/uploads`.
pub(super) async fn open(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    answered(whole(async move { give(&ingest, request).await }).await)
}

async fn give(ingest: &Arc<Ingest>, request: Request) -> Result<Response, Refusal> {
    let Some(uploads) = &ingest.ports.uploads else {
        return Err(Refusal::NoUploads);
    };
    let (parts, body) = request.into_parts();
    no_query(parts.uri.query())?;
    media::json(&parts.headers, media::Unnamed::IsRefused)?;
    ingest.tenant_of(&parts.headers)?;
    let text = body::of_request(ingest, &parts.headers, body).await?;
    let wanted: Wanted = texts::object(texts::text(&text)?)?;
    let limit = most(ingest);
    if wanted.bytes > limit {
        return Err(Refusal::TooLarge { limit });
    }
    if wanted.bytes == 0 {
        return Err(Refusal::invalid(
            "bytes is 0; it must be the size of the job to come.",
        ));
    }
    place(&**uploads, wanted.bytes).await
}

/// What a place takes: a function holds a job several times over while it reads it, and Bedrock takes no more than 25 MB.
const MOST: u64 = 32 * 1024 * 1024;

/// The largest job that comes by a place.
pub(super) fn most(ingest: &Ingest) -> u64 {
    ingest.settings().config.server.max_body_bytes.min(MOST)
}

async fn place(uploads: &dyn Uploads, bytes: u64) -> Result<Response, Refusal> {
    let upload = uploads.open(bytes).await?;
    let headers = upload.headers.iter();
    let place = Place {
        s3: &upload.pointer,
        put: Put {
            url: &upload.url,
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        },
        expires_at: rfc3339(upload.expires_at),
    };
    Ok(json(StatusCode::CREATED, &place))
}
