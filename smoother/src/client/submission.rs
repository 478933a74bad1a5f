//! Handing in a job.

use super::error::ClientError;
use super::http::Client;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smoother_core::{Millis, Operation, Priority, RequestId};
use std::time::Duration;

/// A job to hand in.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// The model's id.
    pub model: &'a str,
    /// What to call.
    pub operation: Operation,
    /// The operation's body; it travels as it is written.
    pub body: &'a RawValue,
    /// Its band, if the tenant's default is not meant.
    pub priority: Option<Priority>,
    /// Time until it must be answered.
    pub timeout: Option<Millis>,
    /// The same key and body again is the same job.
    pub key: &'a str,
}

/// A job that is durable.
#[derive(Debug, Clone, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub id: RequestId,
    /// The public word of its state.
    #[serde(default)]
    pub status: String,
    /// Requests expected to be released before it, plus one.
    #[serde(default)]
    pub estimated_position: Option<u64>,
    /// When it is expected to be released.
    #[serde(default)]
    pub estimated_start: Option<String>,
}

#[derive(Serialize)]
struct Form<'a> {
    model: &'a str,
    operation: Operation,
    body: &'a RawValue,
}

impl Client {
    /// Hands a job in; a success means that it is durable. Answers it typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says. After [`ClientError::Unreachable`] the job may be there or not; the same key
    /// finds out.
    pub async fn submit(&self, job: &NewJob<'_>) -> Result<(Accepted, Bytes), ClientError> {
        let form = Form {
            model: job.model,
            operation: job.operation,
            body: job.body,
        };
        let bytes = serde_json::to_vec(&form).map_err(|e| ClientError::Foreign {
            server: self.server().to_string(),
            cause: e.to_string(),
        })?;
        let bytes = self.placed(job.key, bytes).await?;
        let mut request = self
            .request(Method::POST, "v1/jobs")
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", job.key)
            .body(bytes);
        if let Some(priority) = job.priority {
            request = request.header("x-smoother-priority", priority.as_str());
        }
        if let Some(timeout) = job.timeout {
            request = request.header("x-smoother-timeout-ms", timeout.get());
        }
        let answer = self.send(request, Duration::ZERO).await;
        if !answer.as_ref().is_err_and(ClientError::is_passing) {
            self.forget_place(job.key);
        }
        let answer = answer?;
        Ok((self.read(&answer)?, answer.body))
    }
}
