//! A failure in the words Bedrock would use.

use crate::model::{ModelError, ModelErrorKind};
use crate::request::Failure;

/// HTTP status and exception name under which Bedrock reports this kind of failure.
///
/// Kinds that only this side can meet (no connection, a cut, a stall) get the name of what Bedrock answers in
/// the case nearest to it, so that SDK clients treat them as they would treat Bedrock's own.
#[rustfmt::skip]
pub const fn wire_name(kind: ModelErrorKind) -> (u16, &'static str) {
    use ModelErrorKind as Kind;
    match kind {
        Kind::Throttled(_)  => (429, "ThrottlingException"),
        Kind::Unavailable   => (503, "ServiceUnavailableException"),
        Kind::Connect       => (503, "ServiceUnavailableException"),
        Kind::Internal      => (500, "InternalServerException"),
        Kind::Cut           => (500, "InternalServerException"),
        Kind::Malformed     => (500, "InternalServerException"),
        Kind::Setup         => (500, "InternalServerException"),
        Kind::ModelTimeout  => (408, "ModelTimeoutException"),
        Kind::Stalled       => (408, "ModelTimeoutException"),
        Kind::ModelFailed   => (424, "ModelErrorException"),
        Kind::NotReady      => (429, "ModelNotReadyException"),
        Kind::Validation    => (400, "ValidationException"),
        Kind::AccessDenied  => (403, "AccessDeniedException"),
        Kind::NotFound      => (404, "ResourceNotFoundException"),
    }
}

/// The exception an event stream ends with: the streaming operations know five, the rest is a stream error.
const fn stream_name(kind: ModelErrorKind) -> (u16, &'static str) {
    use ModelErrorKind as Kind;
    match kind {
        Kind::Throttled(_) | Kind::Unavailable | Kind::Internal | Kind::Validation => wire_name(kind),
        _ => (424, "ModelStreamErrorException"),
    }
}

/// The final failure of a request whose last call met `error`, as its caller reads it.
///
/// Before any content went out it is reported as Bedrock reported it. Afterwards (`started_output`) it is one of
/// the exceptions that an event stream of Bedrock's may carry.
pub fn failure_of(error: &ModelError, started_output: bool) -> Failure {
    let (status, exception) = if started_output {
        stream_name(error.kind)
    } else if error.status == 0 || error.exception.is_empty() {
        wire_name(error.kind)
    } else {
        (error.status, error.exception.as_str())
    };
    Failure {
        kind: Some(error.kind),
        status,
        exception: exception.to_owned(),
        message: error.message.clone(),
        headers: error.headers.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ModelErrorKind, status: u16, exception: &str) -> ModelError {
        ModelError {
            kind,
            status,
            exception: exception.to_owned(),
            message: "because".to_owned(),
            headers: vec![("x-amzn-requestid".to_owned(), "1".to_owned())],
            retry_after_ms: None,
        }
    }

    #[test]
    fn bedrocks_own_words_are_kept() {
        let failure = failure_of(&error(ModelErrorKind::AccessDenied, 403, "OptInRequired"), false);
        assert_eq!(
            (failure.status, failure.exception.as_str()),
            (403, "OptInRequired")
        );
        assert_eq!(failure.message, "because");
        assert_eq!(failure.headers.len(), 1);
    }

    #[test]
    fn a_failure_nobody_named_gets_bedrocks_name() {
        let failure = failure_of(&error(ModelErrorKind::Stalled, 0, ""), false);
        assert_eq!(
            (failure.status, failure.exception.as_str()),
            (408, "ModelTimeoutException")
        );
    }

    #[test]
    fn inside_a_stream_only_stream_exceptions_come() {
        let name = |kind| failure_of(&error(kind, 0, ""), true).exception;
        assert_eq!(name(ModelErrorKind::Cut), "ModelStreamErrorException");
        assert_eq!(name(ModelErrorKind::Stalled), "ModelStreamErrorException");
        assert_eq!(name(ModelErrorKind::NotReady), "ModelStreamErrorException");
        assert_eq!(name(ModelErrorKind::Unavailable), "ServiceUnavailableException");
        assert_eq!(name(ModelErrorKind::Internal), "InternalServerException");
    }
}
