//! Jobs as the server shows them.

use super::error::{ClientError, Problem};
use super::http::{Answer, Client};
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use smoother_core::RequestId;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a command says about a job: members of the server's JSON under their own names. What is not here is
/// printed by `--json`, which passes the server's text on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The public word of its state.
    pub status: String,
    /// Its version.
    pub rev: u64,
    pub model: String,
    pub lane: String,
    pub operation: String,
    pub priority: String,
    pub tenant: String,
    pub created_at: String,
    pub deadline: Option<String>,
    pub estimated_position: Option<u64>,
    pub estimated_start: Option<String>,
    pub calls_made: u32,
    pub tries: u32,
    pub throttles: BTreeMap<String, u32>,
    pub last_error: Option<String>,
    pub timings: JobTimings,
    pub usage: Option<JobUsage>,
    pub charged_tokens: Option<u64>,
    pub error: Option<JobError>,
    pub calls: Vec<JobCall>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobTimings {
    pub queued_ms: u64,
    pub running_ms: Option<u64>,
    pub first_output_ms: Option<u64>,
    pub total_ms: u64,
}

/// Tokens as Bedrock counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
}

/// Why a job failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobError {
    pub kind: Option<String>,
    pub exception: String,
    pub message: String,
}

/// One upstream call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobCall {
    pub number: u32,
    pub started_at: String,
    pub ended_at: Option<String>,
    pub ending: Option<String>,
    pub charged_tokens: u64,
    pub throttle: Option<String>,
    pub error: Option<String>,
    pub upstream_request_id: Option<String>,
}

impl Job {
    /// Whether nothing more will happen to it.
    pub fn has_ended(&self) -> bool {
        ["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"].contains(&self.status.as_str())
    }

    /// Whether it has an answer.
    pub fn is_completed(&self) -> bool {
        self.status == "COMPLETED"
    }
}

/// What became of asking for a result.
#[derive(Debug, Clone)]
pub enum ResultAnswer {
    /// Here it is, as the model sent it.
    Ready(Answer),
    /// The job has not ended; the server's words about it.
    NotYet(Box<Job>),
    /// It ended without one.
    None(Box<Problem>),
}

impl Client {
    /// Where a job stands, typed and as the server wrote it. With `wait`, once it has changed from version
    /// `seen`, has ended, or the wait is over.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn job(
        &self,
        id: RequestId,
        wait: Duration,
        seen: Option<u64>,
    ) -> Result<(Job, Bytes), ClientError> {
        let path = match (wait.is_zero(), seen) {
            (true, _) => format!("v1/jobs/{id}"),
            (false, None) => format!("v1/jobs/{id}?wait_ms={}", wait.as_millis()),
            (false, Some(rev)) => format!("v1/jobs/{id}?wait_ms={}&rev={rev}", wait.as_millis()),
        };
        let answer = self.send(self.request(Method::GET, &path), wait).await?;
        Ok((self.read(&answer)?, answer.body))
    }

    /// A job's result, once it has one or `wait` is over.
    ///
    /// # Errors
    /// As [`ClientError`] says; that the job ended without a result is no error.
    pub async fn result(&self, id: RequestId, wait: Duration) -> Result<ResultAnswer, ClientError> {
        let path = format!("v1/jobs/{id}/result?wait_ms={}", wait.as_millis());
        match self.send(self.request(Method::GET, &path), wait).await {
            Ok(answer) if answer.status == reqwest::StatusCode::ACCEPTED => {
                Ok(ResultAnswer::NotYet(Box::new(self.read(&answer)?)))
            }
            Ok(answer) => Ok(ResultAnswer::Ready(answer)),
            Err(ClientError::Refused {
                status: 409 | 410,
                problem,
                ..
            }) => Ok(ResultAnswer::None(problem)),
            Err(error) => Err(error),
        }
    }

    /// Calls a job off; answers where it stands then, typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn cancel(&self, id: RequestId) -> Result<(Job, Bytes), ClientError> {
        let request = self.request(Method::DELETE, &format!("v1/jobs/{id}"));
        let answer = self.send(request, Duration::ZERO).await?;
        Ok((self.read(&answer)?, answer.body))
    }
}
