//! What the doors of `/v1` share: their answers and the plain parts of what they are asked.

use super::jobs::problem;
use crate::meters;
use crate::refusal::Refusal;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use smoother_core::quoted;

/// The answer, or the problem that a refusal is.
pub(super) fn answered(result: Result<Response, Refusal>) -> Response {
    result.unwrap_or_else(|refusal| {
        meters::refused(&refusal);
        problem::of_refusal(&refusal)
    })
}

/// A JSON answer of strings and numbers, which always serialize.
pub(super) fn json(status: StatusCode, said: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(said).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The part of the path that names what it is about.
pub(super) fn segment(path: Result<Path<String>, PathRejection>) -> Result<String, Refusal> {
    path.map(|Path(text)| text)
        .map_err(|error| Refusal::invalid(error.body_text()))
}

/// What stands in a query would be overlooked.
pub(super) fn no_query(query: Option<&str>) -> Result<(), Refusal> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    let name = query.split(['=', '&']).next().unwrap_or_default();
    Err(Refusal::invalid(format!(
        "{:?} is no query parameter here; fields of a job go into the body or into headers.",
        quoted(name)
    )))
}
