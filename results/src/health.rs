//! `/healthz`, `/readyz` and `/metrics`, for those who run the server.

use crate::router::App;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use std::fmt;
use std::sync::Arc;

/// Whether the server takes work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does not, and why: starting, draining, or a part that failed.
    NotReady(String),
}

/// What only the root knows.
#[derive(Clone)]
pub struct Probes {
    /// Whether the server takes work now.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// Every metric in Prometheus' text form; gauges of lanes are set just before this is called.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").finish_non_exhaustive()
    }
}

/// Answers as long as the process lives and its runtime turns: it asks nothing of the store.
pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(app): State<App>) -> Response {
    match (app.probes.readiness)() {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotReady(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
            format!("not ready: {why}\n"),
        )
            .into_response(),
    }
}

pub async fn metrics(State(app): State<App>) -> Response {
    app.results.set_gauges().await;
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (app.probes.metrics)(),
    )
        .into_response()
}
