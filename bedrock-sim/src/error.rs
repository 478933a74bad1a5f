//! Bedrock's errors: kind, status, type header and message, as bedrock-runtime sends them.

use std::borrow::Cow;

use http::StatusCode;

use crate::quota::Refusal;

/// The exceptions of bedrock-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// 429, quota.
    Throttling,
    /// 503, capacity.
    ServiceUnavailable,
    /// 500.
    InternalServer,
    /// 408.
    ModelTimeout,
    /// 424.
    ModelError,
    /// 424, inside a stream.
    ModelStream,
    /// 429 while a model is being loaded.
    ModelNotReady,
    /// 400.
    Validation,
    /// 403.
    AccessDenied,
    /// 404.
    ResourceNotFound,
    /// 404, no such path.
    UnknownOperation,
}

impl ErrorKind {
    /// The exception's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttling => "ThrottlingException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
            Self::InternalServer => "InternalServerException",
            Self::ModelTimeout => "ModelTimeoutException",
            Self::ModelError => "ModelErrorException",
            Self::ModelStream => "ModelStreamErrorException",
            Self::ModelNotReady => "ModelNotReadyException",
            Self::Validation => "ValidationException",
            Self::AccessDenied => "AccessDeniedException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// The name inside an event stream: a member's name, so it begins small.
    pub(crate) fn stream_name(self) -> &'static str {
        match self {
            Self::Throttling | Self::ModelNotReady => "throttlingException",
            Self::ServiceUnavailable => "serviceUnavailableException",
            Self::ModelTimeout => "modelTimeoutException",
            Self::ModelError | Self::ModelStream => "modelStreamErrorException",
            Self::Validation => "validationException",
            Self::InternalServer | Self::AccessDenied | Self::ResourceNotFound | Self::UnknownOperation => {
                "internalServerException"
            }
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Throttling | Self::ModelNotReady => StatusCode::TOO_MANY_REQUESTS,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InternalServer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ModelTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ModelError | Self::ModelStream => StatusCode::FAILED_DEPENDENCY,
            Self::Validation => StatusCode::BAD_REQUEST,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ResourceNotFound | Self::UnknownOperation => StatusCode::NOT_FOUND,
        }
    }
}

/// A failure without a message of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A limit refused the call.
    Refused(Refusal),
    /// Too many connections, answered as a throttle (429) and not as a lack of capacity (503).
    Connections,
    /// Anything else.
    Kind(ErrorKind),
}

impl Failure {
    /// The error with the message that Bedrock uses for it.
    pub fn error(self) -> SimError {
        let (kind, message) = match self {
            Self::Refused(Refusal::Tokens) => (
                ErrorKind::Throttling,
                "Too many tokens, please wait before trying again.",
            ),
            Self::Refused(Refusal::Requests) => (
                ErrorKind::Throttling,
                "Too many requests, please wait before trying again.",
            ),
            Self::Refused(Refusal::Day) => (
                ErrorKind::Throttling,
                "Too many tokens per day, please wait before trying again.",
            ),
            Self::Refused(Refusal::Concurrency) => (
                ErrorKind::ServiceUnavailable,
                "Too many connections, please wait before trying again.",
            ),
            Self::Connections => (
                ErrorKind::Throttling,
                "Too many connections, please wait before trying again.",
            ),
            Self::Kind(kind) => (kind, usual_message(kind)),
        };
        SimError {
            kind,
            message: Cow::Borrowed(message),
        }
    }
}

fn usual_message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttling => "Too many requests, please wait before trying again.",
        ErrorKind::ServiceUnavailable => "Bedrock is unable to process your request.",
        ErrorKind::InternalServer => {
            "The system encountered an unexpected error during processing. Try your request again."
        }
        ErrorKind::ModelTimeout => "Model has timed out in processing the request. Try your request again.",
        ErrorKind::ModelError | ErrorKind::ModelStream => {
            "The system encountered an unexpected error during processing. Try your request again."
        }
        ErrorKind::ModelNotReady => "Model is not ready for inference. Wait and try your request again.",
        ErrorKind::Validation => "Malformed input request, please reformat your input and try again.",
        ErrorKind::AccessDenied => "You don't have access to the model with the specified model ID.",
        ErrorKind::ResourceNotFound => {
            "Could not resolve the foundation model from the provided model identifier."
        }
        ErrorKind::UnknownOperation => "The requested operation does not exist.",
    }
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimError {
    /// Which exception.
    pub kind: ErrorKind,
    /// What its `message` says.
    pub message: Cow<'static, str>,
}

impl SimError {
    /// A ValidationException.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: ErrorKind::Validation,
            message: message.into(),
        }
    }

    /// The body, `{"message": …}`.
    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::json!({ "message": self.message })
            .to_string()
            .into_bytes()
    }

    /// The value of `x-amzn-errortype`, with the namespace that Bedrock appends.
    pub(crate) fn type_header(&self) -> String {
        format!(
            "{}:http://internal.amazon.com/coral/com.amazon.bedrock/",
            self.kind.name()
        )
    }
}

impl From<Failure> for SimError {
    fn from(failure: Failure) -> Self {
        failure.error()
    }
}
