//! What passes between the driver and a client process.
//!
//! The client prints the line `ready`, reads a [`Plan`] (one line of JSON), prints `ready` again when it
//! has built its calls, reads the line `go`, runs, and prints a [`Results`] (one line of JSON).
//! `bench/clients/*.py` speak the same.

use serde::{Deserialize, Serialize};

/// What one client process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Base URL of what is asked, `http://127.0.0.1:8080`.
    pub url: String,
    /// How calls follow each other.
    pub pace: Pace,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// When it is due, in microseconds after `go`.
    pub at_us: u64,
    /// Path of the URL.
    pub path: String,
    /// The model's id, for clients that build the path themselves.
    pub model: String,
    /// `x-smoother-priority`, and the class under which results are counted.
    pub class: String,
    /// The prompt.
    pub prompt: String,
    /// max_tokens.
    pub max_tokens: u64,
    /// Whether the answer is streamed.
    pub stream: bool,
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
}

/// What became of one call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
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
