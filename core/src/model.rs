//! The words in which the pipeline and the model port speak of one upstream call.

mod free;
mod word;

use crate::cost::Usage;
use crate::ids::{CallNo, LaneId, ModelId, RequestId};
use crate::throttle::ThrottleCause;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::pin::Pin;

pub use free::{FreeAnswer, FreeCall, FreeOperation};
pub use word::{ErrorFilter, UnknownError};

/// One of the four operations of Bedrock's runtime that cost tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `POST /model/{id}/converse`
    Converse,
    /// `POST /model/{id}/converse-stream`
    ConverseStream,
    /// `POST /model/{id}/invoke`
    Invoke,
    /// `POST /model/{id}/invoke-with-response-stream`
    InvokeWithResponseStream,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 4] = [
        Self::Converse,
        Self::ConverseStream,
        Self::Invoke,
        Self::InvokeWithResponseStream,
    ];

    /// The last segment of the operation's path, also its word in the job API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeWithResponseStream => "invoke-with-response-stream",
        }
    }

    /// The operation whose path ends so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == text)
    }

    /// Whether the answer comes as event-stream frames.
    pub const fn streams(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeWithResponseStream)
    }

    /// Whether the body is Converse's, the same for every model.
    pub const fn is_converse(self) -> bool {
        matches!(self, Self::Converse | Self::ConverseStream)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call to make upstream.
#[derive(Debug, Clone)]
pub struct ModelCall {
    /// The request, for traces only.
    pub request: RequestId,
    /// The call's number.
    pub number: CallNo,
    /// The lane whose endpoint and credentials to use.
    pub lane: LaneId,
    /// What to do.
    pub operation: Operation,
    /// The model as the caller named it.
    pub model: ModelId,
    /// The body as the caller sent it.
    pub body: Bytes,
    /// Headers of the operation that travel upstream (accept, guardrail, service tier): lower-case names.
    pub headers: Vec<(String, String)>,
}

/// What came before the answer: headers to pass on to the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelHead {
    /// The answer's content type.
    pub content_type: String,
    /// Bedrock's own headers (`x-amzn-requestid`, latency, token counts): lower-case names.
    pub headers: Vec<(String, String)>,
}

impl ModelHead {
    /// Bedrock's id of the call, for support cases.
    pub fn upstream_request_id(&self) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name == "x-amzn-requestid")
            .map(|(_, value)| value.as_str())
    }
}

/// A piece of an answer.
#[derive(Debug, Clone)]
pub enum ModelEvent {
    /// The whole answer of an operation that does not stream; comes once.
    Body(Bytes),
    /// One event-stream message, encoded as it goes over the wire.
    Frame {
        /// Prelude, headers, payload and checksums.
        bytes: Bytes,
        /// Whether it carries generated content: from the first such frame on a cut is final.
        output: bool,
    },
    /// The answer ended because max_tokens was reached; comes before the usage.
    CutShort,
    /// What the call used; comes last, if at all.
    Usage(Usage),
}

/// The events of one answer, in order.
pub type ModelEvents = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// An accepted call: its head and the events to come.
pub struct ModelStream {
    /// What came before the answer.
    pub head: ModelHead,
    /// The answer, piece by piece; ends after its last event or its first error.
    pub events: ModelEvents,
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelStream")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// What kind of failure a call met; the verdict table decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    /// 429 ThrottlingException, its limit named.
    Throttled(ThrottleCause),
    /// 503 ServiceUnavailableException.
    Unavailable,
    /// 500 InternalServerException, and other 5xx.
    Internal,
    /// 408 ModelTimeoutException.
    ModelTimeout,
    /// 424 ModelErrorException or ModelStreamErrorException.
    ModelFailed,
    /// 429 ModelNotReadyException.
    NotReady,
    /// 400 ValidationException, and other 4xx that are the request's own fault.
    Validation,
    /// 403 AccessDeniedException and the like.
    AccessDenied,
    /// 404 ResourceNotFoundException.
    NotFound,
    /// No connection could be made: the call has not started.
    Connect,
    /// The connection broke after the request was sent.
    Cut,
    /// Nothing came within the attempt timeout, or between two chunks.
    Stalled,
    /// The answer could not be understood.
    Malformed,
    /// Credentials, Region or endpoint of the lane are wrong: nothing was sent.
    Setup,
}

/// A call's failure, as it is reported to the caller if it is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{exception} ({status}): {message}")]
pub struct ModelError {
    /// What it was.
    pub kind: ModelErrorKind,
    /// HTTP status of Bedrock's answer, or the one Bedrock would give.
    pub status: u16,
    /// Bedrock's name for it, such as `ThrottlingException`.
    pub exception: String,
    /// Bedrock's sentence. Never holds a prompt or a key.
    pub message: String,
    /// Bedrock's own headers of the answer.
    pub headers: Vec<(String, String)>,
    /// `expectedQueueDelayInMs` of a 503, where Bedrock said it.
    pub retry_after_ms: Option<u64>,
}
