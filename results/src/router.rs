//! The doors of this stage. Submission and cancel are ingest's; the root merges both routers.

use crate::health::{self, Probes};
use crate::problem::Problem;
use crate::service::Results;
use crate::{jobs, lanes, letters};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Method, StatusCode, Uri};
use smoother_core::quoted;
use std::sync::Arc;

/// What handlers are given.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) results: Arc<Results>,
    pub(crate) probes: Probes,
}

impl Results {
    /// `GET` on `/v1/jobs`, `/v1/jobs/{id}`, `/v1/jobs/{id}/result`, `/v1/dlq`, `/v1/dlq/{id}`, `/v1/lanes`,
    /// `/v1/lanes/{id}`, `/v1/models`, `/healthz`, `/readyz` and `/metrics`.
    pub fn router(self: &Arc<Self>, probes: Probes) -> Router {
        Router::new()
            .route("/v1/jobs", get(jobs::list::handle))
            .route("/v1/jobs/{id}", get(jobs::status::handle))
            .route("/v1/jobs/{id}/result", get(jobs::result::handle))
            .route("/v1/dlq", get(letters::list::handle))
            .route("/v1/dlq/{id}", get(letters::one::handle))
            .route("/v1/lanes", get(lanes::list))
            .route("/v1/lanes/{id}", get(lanes::one))
            .route("/v1/models", get(lanes::models))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(health::metrics))
            .with_state(App {
                results: Arc::clone(self),
                probes,
            })
    }
}

/// The answer to a path that no door has; for the root's fallback.
pub async fn no_such_door(method: Method, uri: Uri) -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-path",
        "There is nothing here",
        format!(
            "{} is no door of the smoother.",
            quoted(&format!("{method} {}", uri.path()))
        ),
    )
    .into_response()
}

/// The answer to a method that a door does not have; for the root's fallback of methods. The router adds `allow`.
pub async fn no_such_method(method: Method, uri: Uri) -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The method is not allowed here",
        format!(
            "{} is no method of {}; the header allow names those there are.",
            quoted(method.as_str()),
            quoted(uri.path())
        ),
    )
    .into_response()
}
