//! One line through the server.

use super::line::{Record, key};
use crate::client::{Accepted, Client, ClientError, NewJob, Patience, Problem, ResultAnswer};
use crate::commands::CommandError;
use serde_json::value::RawValue;
use smoother_core::{Millis, Operation, Priority, RequestId};
use std::time::Duration;

/// How long one question is held by the server.
const POLL: Duration = Duration::from_secs(30);

/// What became of a line.
#[derive(Debug)]
pub enum Outcome {
    /// The model's answer.
    Answered(Box<RawValue>),
    /// It is durable; nobody waits for it here.
    Submitted(RequestId),
    /// The line itself is wrong.
    Invalid(String),
    /// The server did not take it.
    Refused { status: u16, words: String },
    /// It was taken and ended without an answer.
    Unanswered { status: u16, words: String },
}

/// What all lines have in common.
#[derive(Debug)]
pub struct Sender<'a> {
    pub client: &'a Client,
    pub model: String,
    /// In place of what each body looks like.
    pub operation: Option<Operation>,
    pub priority: Priority,
    pub timeout: Option<Millis>,
    /// Whether answers are waited for.
    pub wait: bool,
    pub file: String,
    pub run: String,
    pub patience: Patience,
}

impl Sender<'_> {
    /// Submits a line and waits for its end. A server that stays away longer than the patience is an error:
    /// then no other line would fare better.
    pub async fn send(&self, record: &Record) -> Result<Outcome, CommandError> {
        let accepted = match self.submit(record).await {
            Ok(accepted) => accepted,
            Err(error) => return refused(error),
        };
        if !self.wait {
            return Ok(Outcome::Submitted(accepted.id));
        }
        let mut patience = self.patience.clone();
        loop {
            match self.client.result(accepted.id, POLL).await {
                Ok(ResultAnswer::Ready(answer)) => return Ok(answered(&answer.body)),
                Ok(ResultAnswer::None(problem)) => return Ok(unanswered(&problem)),
                Ok(ResultAnswer::NotYet(_)) => patience.relieved(),
                Err(error) => {
                    if let Err(error) = patience.bear(error).await {
                        return refused(error);
                    }
                }
            }
        }
    }

    async fn submit(&self, record: &Record) -> Result<Accepted, ClientError> {
        let key = key(&self.file, &self.run, &self.model, record);
        let job = NewJob {
            model: &self.model,
            operation: self.operation.unwrap_or(record.operation),
            body: record.input.as_deref().unwrap_or(RawValue::NULL),
            priority: Some(self.priority),
            timeout: self.timeout,
            key: &key,
        };
        let mut patience = self.patience.clone();
        loop {
            match self.client.submit(&job).await {
                Ok((accepted, _)) => return Ok(accepted),
                Err(error) => patience.bear(error).await?,
            }
        }
    }
}

fn refused(error: ClientError) -> Result<Outcome, CommandError> {
    match &error {
        ClientError::Refused { status, .. } if *status < 500 => Ok(Outcome::Refused {
            status: *status,
            words: error.to_string(),
        }),
        _ => Err(error.into()),
    }
}

fn answered(body: &[u8]) -> Outcome {
    // Bedrock's bodies are JSON without line breaks; one that has some must not break the file's lines.
    let text = String::from_utf8_lossy(body).replace(['\n', '\r'], " ");
    match RawValue::from_string(text.trim().to_owned()) {
        Ok(output) => Outcome::Answered(output),
        Err(_) => Outcome::Unanswered {
            status: 500,
            words: "the answer is no JSON; a batch's lines must be converse or invoke".to_owned(),
        },
    }
}

fn unanswered(problem: &Problem) -> Outcome {
    let told = problem.error.as_ref().and_then(|e| e["status"].as_u64());
    let status = match problem.word() {
        "job-expired" => 408,
        "job-cancelled" => 409,
        "result-gone" => 410,
        _ => told.and_then(|s| u16::try_from(s).ok()).unwrap_or(500),
    };
    Outcome::Unanswered {
        status,
        words: problem.detail.clone(),
    }
}
