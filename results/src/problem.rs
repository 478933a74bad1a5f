//! Refusals on `/v1`: RFC 9457 problem details, `application/problem+json`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use smoother_core::ports::StoreError;
use smoother_core::{IdError, RequestId};

/// One refusal: what was wrong, which thing, and what to do next.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    retry_after: Option<u64>,
    more: Map<String, Value>,
}

impl Problem {
    /// `kind` becomes the last part of the problem's type.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            retry_after: None,
            more: Map::new(),
        }
    }

    /// A parameter that cannot be read.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            "The request is not valid",
            detail,
        )
    }

    /// A job id that is none.
    pub fn job_id(error: &IdError) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "job-id",
            "The job id is not valid",
            format!("{error}; a submission answers with the job's id."),
        )
    }

    /// A job that is not there, or is another tenant's: a caller must not learn which.
    pub fn no_job(id: RequestId) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-job",
            "There is no such job",
            format!(
                "No job has the id {id}; it may have passed its retention. GET /v1/jobs lists those there are."
            ),
        )
    }

    /// Adds `retry-after`, in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds a member of its own.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a read of the store failed");
        let detail = error.to_string();
        match error {
            StoreError::Damaged(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "store",
                "The store is damaged",
                detail,
            ),
            StoreError::Full(_) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "store-full",
                "The store is full",
                detail,
            )
            .retry_after(30),
            StoreError::Closed | StoreError::Failed(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store",
                "The store does not answer",
                detail,
            )
            .retry_after(1),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:bedrock-smoother:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Value::Object(members) = &mut body {
            members.extend(
                self.retry_after
                    .map(|seconds| ("retry_after".to_owned(), seconds.into())),
            );
            members.extend(self.more);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
