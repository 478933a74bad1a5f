//! Who asks, and what the path and the query of a door say. Every refusal is a [`Problem`].

use crate::problem::Problem;
use crate::query::in_api_words;
use crate::router::App;
use axum::extract::{FromRequestParts, Path, Query};
use http::HeaderValue;
use http::request::Parts;
use serde::de::DeserializeOwned;
use smoother_core::named::{TENANT_HEADER, tenant_named};
use smoother_core::{LaneId, RequestId, TenantId};

/// The tenant that asks: the only place where a door of this crate learns it.
///
/// A server without keys listens on the loopback alone and has one tenant, `default`, unless its configuration trusts the
/// header that names another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub TenantId);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let values = parts.headers.get_all(TENANT_HEADER).iter();
        tenant_named(app.results.trusts_tenants(), values.map(HeaderValue::as_bytes))
            .map(Self)
            .map_err(|error| Problem::invalid(format!("{error}.")))
    }
}

/// The job id of `/v1/jobs/{id}…`.
#[derive(Debug, Clone, Copy)]
pub struct JobId(pub RequestId);

impl<S: Send + Sync> FromRequestParts<S> for JobId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        text.parse().map(Self).map_err(|e| Problem::job_id(&e))
    }
}

/// The lane name of `/v1/lanes/{id}`.
#[derive(Debug, Clone)]
pub struct Lane(pub LaneId);

impl<S: Send + Sync> FromRequestParts<S> for Lane {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        LaneId::new(&text)
            .map(Self)
            .map_err(|e| Problem::invalid(e.to_string()))
    }
}

async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let Path(text) = Path::<String>::from_request_parts(parts, state)
        .await
        .map_err(|e| Problem::invalid(e.body_text()))?;
    Ok(text)
}

/// The query as `T`.
#[derive(Debug, Clone)]
pub struct Ask<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(ask)| Self(ask))
            .map_err(|e| Problem::invalid(in_api_words(&e.body_text())))
    }
}
