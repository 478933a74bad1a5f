//! What passes between the driver and a client process.
//!
//! The client prints the line `ready`, reads a [`Plan`] (one line of JSON), prints `ready` again when it
//! has built its calls, reads the line `go`, runs, and prints a [`Results`] (one line of JSON).
//! `bench/clients/*.py` speak the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one client process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Base URL of what is asked, `http://127.0.0.1:8080`.
    pub url: String,
    /// How calls follow each other.
    pub pace: Pace,
    /// Open loop: what is not answered so many microseconds after `go` is given up; none: all is waited for.
    #[serde(default)]
    pub until_us: Option<u64>,
    /// The calls; with [`Pace::Closed`] they are repeated in turn.
    pub calls: Vec<Call>,
}

/// How calls follow each other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pace {
    /// Each call starts at its own `at_us`, however long earlier ones take.
    Open,
    /// Each connection sends its next call when the last was answered.
    Closed {
        /// Connections.
        connections: usize,
        /// Calls before counting starts.
        warmup: usize,
        /// Calls counted.
        count: usize,
    },
}

/// One call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Call {
    /// Its number in its run, by which its outcome is known.
    #[serde(default)]
    pub number: usize,
    /// When it is due, in microseconds after `go`.
    pub at_us: u64,
    /// Path of the URL.
    pub path: String,
    /// The model's id, for clients that build the path themselves.
    pub model: String,
    /// Its priority, and the class under which results are counted.
    pub class: String,
    /// Whose it is; empty where a workload has only one caller.
    #[serde(default)]
    pub tenant: String,
    /// Input, as its prompt's length has it.
    #[serde(default)]
    pub input_tokens: u64,
    /// Output that the simulator is told to give.
    #[serde(default)]
    pub output_tokens: u64,
    /// The prompt.
    pub prompt: String,
    /// max_tokens.
    pub max_tokens: u64,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Headers, beside those of every call.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The whole body; empty for clients that build it themselves from `prompt`.
    pub body: String,
}

/// What happened.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// One entry for each call, in the order of their ends.
    pub outcomes: Vec<Outcome>,
    /// From the first counted call's start to the last one's end, in microseconds.
    pub elapsed_us: u64,
    /// Processor time of the client process, in microseconds.
    #[serde(default)]
    pub cpu_us: u64,
    /// The most memory that the client process held, in bytes.
    #[serde(default)]
    pub peak_bytes: u64,
}

/// What became of one call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The call's number.
    #[serde(default)]
    pub number: usize,
    /// The call's class.
    pub class: String,
    /// When it was due, in microseconds after `go`.
    #[serde(default)]
    pub due_us: u64,
    /// HTTP status; 0 where the connection failed.
    pub status: u16,
    /// From the moment it was due to the end of its answer, in microseconds.
    pub latency_us: u64,
    /// `x-smoother-queue-ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// `x-smoother-degraded`: the answer is a configured text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
    /// What went wrong; none where the answer is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of a stream: when each event came, in microseconds after the call was due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events_us: Vec<u64>,
    /// Of a stream whose simulator stamps it: when the call came to the simulator, in microseconds after it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_us: Option<i64>,
}

/// The error of a call that was given up; clients of other languages say the same.
pub const UNANSWERED: &str = "not answered when the run ended";
