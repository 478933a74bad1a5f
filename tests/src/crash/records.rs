//! What the witnesses of a run wrote down. Moments are milliseconds since the epoch, by the wall clock.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// One line of a client's own file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub at_ms: u64,
    /// Whose: the mark of the request.
    pub mark: String,
    pub what: What,
}

/// What a client was told, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It begins; in words, for the history.
    Asked {
        how: String,
        fail_on_indeterminate: bool,
    },
    /// A 2xx answer to a submission.
    Accepted { job: String, state: String },
    /// A 2xx answer to the same submission, sent once more.
    Again { job: String },
    /// The answer to another body under the same key.
    Other { status: u16 },
    /// A job's status.
    Seen { job: String, state: String, rev: u64 },
    /// A job's result.
    Result { job: String, digest: String },
    /// A whole answer on Bedrock's wire, to its last byte.
    Answered { job: String, digest: String },
    /// A 200 to a DELETE, with the state in it.
    CalledOff { job: String, state: String },
    /// Any other answer; the last attempt's is final. One that names a job promises nothing of it.
    Refused {
        status: u16,
        error: String,
        job: Option<String>,
    },
    /// An attempt that got no whole answer.
    Broken { why: String },
    /// It hung up on purpose.
    Left,
    /// Its patience ended before its request.
    GaveUp { job: Option<String> },
}

impl What {
    /// The job that it names, whether it promises anything of it or not.
    pub fn named(&self) -> Option<&str> {
        match self {
            Self::Refused { job, .. } => job.as_deref(),
            _ => self.job(),
        }
    }

    /// The job that it acknowledges.
    pub fn job(&self) -> Option<&str> {
        match self {
            Self::Accepted { job, .. }
            | Self::Again { job }
            | Self::Seen { job, .. }
            | Self::Result { job, .. }
            | Self::Answered { job, .. }
            | Self::CalledOff { job, .. } => Some(job),
            Self::GaveUp { job } => job.as_deref(),
            Self::Asked { .. }
            | Self::Other { .. }
            | Self::Refused { .. }
            | Self::Broken { .. }
            | Self::Left => None,
        }
    }
}

/// One life of the server, as the driver saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub started_ms: u64,
    pub ready_ms: Option<u64>,
    /// When SIGTERM was sent.
    pub asked_to_stop_ms: Option<u64>,
    pub ended_ms: u64,
    pub end: End,
}

/// How a life ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By SIGKILL.
    Killed,
    /// By itself, after SIGTERM, with exit code 0.
    Stopped,
    /// Otherwise: nobody asked it to, or it said that something was wrong.
    ByItself { status: String },
}

/// A job at the end of all, as `GET /v1/jobs/{id}` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub state: String,
    pub rev: u64,
    pub calls_made: u32,
    pub calls: Vec<Call>,
    /// Every state it has passed, by the store's own journal, in order.
    pub passed: Vec<Passed>,
    /// Digest of `GET /v1/jobs/{id}/result`, where that answers 200.
    pub digest: Option<String>,
}

/// A state that a job has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub rev: u64,
    pub state: String,
    pub at_ms: u64,
}

/// One call of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub number: u32,
    pub started_ms: u64,
    pub ended_ms: Option<u64>,
    /// `COMPLETED`, `THROTTLED`, `FAILED`, `ABORTED`, `INDETERMINATE`.
    pub ending: Option<String>,
    /// Bedrock's id of the call, which is the simulator's.
    pub upstream: Option<String>,
}

impl Call {
    pub fn ended(&self, how: &str) -> bool {
        self.ending.as_deref() == Some(how)
    }
}

/// One call in the simulator's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    pub request_id: String,
    pub model: String,
    pub mark: Option<String>,
    /// The id that an SDK gives to a call and all its attempts.
    pub invocation: Option<String>,
    pub arrival_ms: u64,
    pub end_ms: Option<u64>,
    /// `open`, `answered`, `failed`, `cut`, `aborted`, `refused`, `invalid`.
    pub outcome: String,
    pub error: Option<String>,
    pub reserved: u64,
    pub charged: u64,
}

/// Everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Records {
    /// In the order in which each client wrote.
    pub told: Vec<Told>,
    pub lives: Vec<Life>,
    pub rows: HashMap<String, Row>,
    /// In order of arrival.
    pub upstream: Vec<Upstream>,
    /// Tokens per minute by model id.
    pub quotas: BTreeMap<String, u64>,
    /// Calls at once of each of them.
    pub max_concurrency: u32,
}

impl Records {
    /// Moments at which the server was killed.
    pub fn kills(&self) -> impl Iterator<Item = u64> {
        self.lives
            .iter()
            .filter(|life| life.end == End::Killed)
            .map(|life| life.ended_ms)
    }
}
