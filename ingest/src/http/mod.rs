//! The doors that speak HTTP: they parse and render, and decide nothing.

mod answer;
mod bedrock;
mod body;
mod breaker;
mod header;
mod jobs;
mod letters;
mod media;
mod uploads;

use crate::ingest::Ingest;
use axum::Router;
use axum::routing::{delete, post};
use std::sync::Arc;

impl Ingest {
    /// `POST /model/{id}/{operation}`, `POST /guardrail/{id}/version/{version}/apply`, `POST /v1/jobs`,
    /// `DELETE /v1/jobs/{id}`, `POST /v1/uploads`, what changes under `/v1/dlq`, and `POST /v1/lanes/{id}/breaker`, to be merged with the
    /// other stages' routes.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            // Ids hold colons and, in ARNs, slashes, encoded or not: the handler splits the raw path itself.
            .route("/model/{*rest}", post(bedrock::call).fallback(bedrock::not_post))
            .route(
                "/guardrail/{*rest}",
                post(bedrock::guardrail).fallback(bedrock::not_post),
            )
            .route("/v1/jobs", post(jobs::submit))
            .route("/v1/jobs/{id}", delete(jobs::cancel))
            .route("/v1/uploads", post(uploads::open))
            .route("/v1/dlq", delete(letters::dismiss_many))
            .route("/v1/dlq/redrive", post(letters::redrive_many))
            .route("/v1/dlq/{id}", delete(letters::dismiss))
            .route("/v1/dlq/{id}/redrive", post(letters::redrive))
            .route("/v1/lanes/{id}/breaker", post(breaker::hold))
            .with_state(Arc::clone(self))
    }
}
