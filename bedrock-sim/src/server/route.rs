//! From method and path to what answers them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::reply::{self, Cut, Reply};
use super::{RequestIds, Shared, admin, call, guardrail};
use crate::error::{ErrorKind, Failure, SimError};
use crate::request::Operation;

/// The largest body that is read: InvokeModel's own limit.
const MAX_BODY: usize = 25_000_000;

/// Answers one request.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Reply>, Cut> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let body = read(body).await;
    if head.method == Method::POST {
        if let Some((operation, model)) = Operation::of_path(path) {
            let model = model.into_owned();
            return call::answer(shared, operation, model, &head.headers, body).await;
        }
        if guardrail::is_apply(path) {
            let id = RequestIds::uuid(shared.ids.next());
            return Ok(match body.and_then(|body| guardrail::apply(&body)) {
                Ok(json) => reply::json(StatusCode::OK, Some(&id), json),
                Err(error) => reply::error(&id, &error),
            });
        }
    }
    let own = body
        .ok()
        .and_then(|body| admin::answer(&shared, &head.method, path, head.uri.query(), &body));
    Ok(own.unwrap_or_else(|| {
        let id = RequestIds::uuid(shared.ids.next());
        reply::error(&id, &Failure::Kind(ErrorKind::UnknownOperation).error())
    }))
}

async fn read(body: Incoming) -> Result<Bytes, SimError> {
    let collected = Limited::new(body, MAX_BODY).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| {
            SimError::validation(format!(
                "The request body could not be read: {error} (the limit is {MAX_BODY} bytes)"
            ))
        })
}
