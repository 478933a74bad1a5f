//! A request: one model call that a producer wants. The public API calls it a job.

mod fresh;

use crate::cost::{Estimate, Usage};
use crate::fallback::{Hop, Hopped};
use crate::ids::{CallNo, LaneId, ModelId, RequestId, Rev, TenantId};
use crate::lifecycle::State;
use crate::model::{ModelErrorKind, ModelHead, Operation};
use crate::right_size::RightSize;
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

pub use fresh::Fresh;

/// The band a request waits in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Somebody waits for it now.
    Interactive,
    /// The default.
    #[default]
    Normal,
    /// Whenever there is room.
    Batch,
}

impl Priority {
    /// Every priority, highest first.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Normal, Self::Batch];

    /// The word in headers, JSON, configuration and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Batch => "batch",
        }
    }

    /// The priority with that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }

    /// 0 for interactive, 1 for normal, 2 for batch: an index into per-band arrays.
    pub const fn index(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Normal => 1,
            Self::Batch => 2,
        }
    }

    /// How long a request without a deadline is taken to be able to wait; it orders, it does not expire.
    pub const fn soft_deadline(self) -> Millis {
        match self {
            Self::Interactive => Millis::from_secs(60),
            Self::Normal => Millis::from_secs(15 * 60),
            Self::Batch => Millis::from_secs(24 * 60 * 60),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// On the connection, Bedrock's wire.
    Sync,
    /// By job id.
    Job,
}

/// Who makes a request's call once it is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// A worker, which is handed the release.
    #[default]
    Worker,
    /// The process on whose connection its caller waits: it watches the row and claims it itself. Should it be gone,
    /// the release lapses, and the next one is a worker's.
    Caller,
}

impl Runner {
    const fn is_worker(&self) -> bool {
        matches!(self, Self::Worker)
    }
}

/// What becomes of a request whose last reader has gone away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDisconnect {
    /// It is cancelled after the grace (the default on the wire).
    #[default]
    Cancel,
    /// It is cancelled at once: its caller has no way to come back to it.
    #[serde(rename = "cancel_at_once")]
    CancelAtOnce,
    /// It runs to its end.
    Finish,
}

/// What becomes of a request whose call may or may not have run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnIndeterminate {
    /// It is called again: it may be billed twice.
    #[default]
    Retry,
    /// It fails.
    Fail,
}

/// A final failure, as callers read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was, if a call met it.
    pub kind: Option<ModelErrorKind>,
    /// HTTP status for a synchronous caller.
    pub status: u16,
    /// Bedrock's name for it.
    pub exception: String,
    /// What, which, and what to do next.
    pub message: String,
    /// Bedrock's own headers, if the failure is Bedrock's; else what the lane says beside, such as when to come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// Where a request ended up; set with its terminal state, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer; its bytes are the request's result payload.
    Answer {
        /// Headers to pass on.
        head: ModelHead,
        /// What it used, where Bedrock said so.
        usage: Option<Usage>,
        /// Bytes of the result.
        bytes: u64,
    },
    /// No answer.
    Failure(Failure),
}

/// A request as stored: everything but its body and result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Identity.
    pub id: RequestId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The quota it waits for.
    pub lane: LaneId,
    /// The model as the caller named it.
    pub model: ModelId,
    /// What to call.
    pub operation: Operation,
    /// Its band.
    pub priority: Priority,
    /// How its caller waits.
    pub door: Door,
    /// Who makes its next call.
    #[serde(default, skip_serializing_if = "Runner::is_worker")]
    pub runner: Runner,
    /// Where it stands.
    pub state: State,
    /// Version of this row.
    pub rev: Rev,
    /// When it came.
    pub arrived_at: Timestamp,
    /// Must be completed by then, if set.
    pub deadline: Option<Timestamp>,
    /// Must have started by then, if set.
    pub latest_start: Option<Timestamp>,
    /// SHA-256 of operation, model and body: the same key with another hash is a conflict.
    #[serde(with = "hex32")]
    pub body_hash: [u8; 32],
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Expected cost.
    pub estimate: Estimate,
    /// Headers of the operation that travel upstream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Policy for a gone reader.
    pub on_disconnect: OnDisconnect,
    /// Policy for a call that may or may not have run.
    pub on_indeterminate: OnIndeterminate,
    /// Tries spent by transient errors.
    pub tries: u32,
    /// The last call number given out.
    pub call: CallNo,
    /// Calls actually claimed.
    pub calls_made: u32,
    /// Calls that were lost: their runner was gone before their end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Tokens reserved for the current call.
    pub reserved: Tokens,
    /// The current release is void after this.
    pub start_by: Option<Timestamp>,
    /// Not to be released before this (snooze, retry).
    pub not_before: Option<Timestamp>,
    /// When it was last released.
    pub released_at: Option<Timestamp>,
    /// When its last call started.
    pub started_at: Option<Timestamp>,
    /// When generated content first came.
    pub first_output_at: Option<Timestamp>,
    /// When it reached its terminal state.
    pub ended_at: Option<Timestamp>,
    /// How often each cause sent it back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throttles: BTreeMap<ThrottleCause, u32>,
    /// The last error a call met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ModelErrorKind>,
    /// Where it goes on when its lane cannot serve it, next first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Hop>,
    /// The lanes it has left for another, first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hopped>,
    /// The model that is called for it, where that is not the one its caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_model: Option<ModelId>,
    /// Its answer is the text that ends its chain, not a model's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
    /// It failed by no fault of its own and waits for an operator: a dead letter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
    /// How often an operator has sent it on its way again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redriven: u32,
    /// Set where a smaller max_tokens than its caller's may go upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right_size: Option<RightSize>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Request {
    /// When it stands in line by its deadline, real or taken.
    pub fn due(&self) -> Timestamp {
        self.deadline
            .unwrap_or(self.arrived_at + self.priority.soft_deadline())
    }

    /// The model that is called for it in the lane it waits in.
    pub fn model_to_call(&self) -> &ModelId {
        self.called_model.as_ref().unwrap_or(&self.model)
    }

    /// Whether its next call (or the one under way) goes with a smaller max_tokens than its caller's.
    pub fn is_right_sized(&self) -> bool {
        self.right_size.as_ref().is_some_and(|size| size.own.is_some())
    }

    /// Whether an answer to it was cut short by its right size, so that it is called again.
    pub fn is_rerun(&self) -> bool {
        self.right_size.as_ref().is_some_and(|size| size.rerun)
    }

    /// The output its caller allows, whatever goes upstream.
    pub fn own_max_output(&self) -> Tokens {
        let own = self.right_size.as_ref().and_then(|size| size.own);
        own.unwrap_or(self.estimate.max_output)
    }

    /// What its call costs with its caller's own max_tokens; `None` where that is what goes already. By then an answer
    /// has been at least as long as what was sent.
    pub fn rerun_estimate(&self) -> Option<Estimate> {
        let own = self.right_size.as_ref()?.own?;
        Some(Estimate {
            max_output: own,
            expected_output: self
                .estimate
                .expected_output
                .max(self.estimate.max_output)
                .min(own),
            ..self.estimate
        })
    }

    /// Whether it failed because its lane had no room for it, before any call was made for it: as if its door had refused
    /// it.
    pub fn has_made_room(&self) -> bool {
        let failed =
            matches!(&self.outcome, Some(Outcome::Failure(it)) if it.kind.is_none() && it.status == 429);
        failed && self.calls_made == 0
    }

    /// Time from arrival to the start of its last call.
    pub fn queued_for(&self) -> Option<Millis> {
        self.started_at.map(|at| at.since(self.arrived_at))
    }
}

mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Every write of a row comes here, so no formatter does.
    pub fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let mut text = String::with_capacity(64);
        for byte in bytes {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        to.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let bad = || D::Error::custom("a SHA-256 is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0u8; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(bytes)
    }
}
