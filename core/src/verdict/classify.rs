//! From Bedrock's words to a [`ModelErrorKind`].
//!
//! Source: the error tables of InvokeModel, Converse and their streaming forms
//! (docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the operations' pages), and the
//! sentences that users of Bedrock report. An exception's name goes before the status, since the same name comes
//! with different statuses from the service, its front and inside a stream.

use crate::model::ModelErrorKind;
use crate::throttle::ThrottleCause;

/// What kind of failure Bedrock's answer is.
///
/// `exception` may be bare (`ThrottlingException`), qualified as `x-amzn-errortype` qualifies it
/// (`com.amazon…#ThrottlingException:http://…`), in the camel case of event streams, or empty; `status` is 0 where
/// the failure came inside a stream. `message` tells throttles apart and is used for nothing else: "Too many
/// tokens" is the quota, never a prompt that is too long.
pub fn classify(exception: &str, status: u16, message: &str) -> ModelErrorKind {
    by_name(&bare(exception), message).unwrap_or_else(|| by_status(status, message))
}

/// The name without its namespace, its documentation link and its case.
fn bare(exception: &str) -> String {
    let name = exception.rsplit('#').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

fn by_name(name: &str, message: &str) -> Option<ModelErrorKind> {
    Some(match name {
        "throttlingexception" | "throttling" | "throttledexception" | "requestthrottledexception" => {
            ModelErrorKind::Throttled(cause(message))
        }
        "toomanyrequestsexception" => {
            ModelErrorKind::Throttled(named_cause(message).unwrap_or(ThrottleCause::Requests))
        }
        // The account's quota again, but one that waiting does not refill, unless its sentence says otherwise.
        "servicequotaexceededexception" => {
            named_cause(message).map_or(ModelErrorKind::AccessDenied, ModelErrorKind::Throttled)
        }
        "serviceunavailableexception" | "serviceunavailable" => unavailable(message),
        "internalserverexception" | "internalfailure" | "internalservererror" => ModelErrorKind::Internal,
        "modeltimeoutexception" => ModelErrorKind::ModelTimeout,
        "modelerrorexception" | "modelstreamerrorexception" => ModelErrorKind::ModelFailed,
        "modelnotreadyexception" => ModelErrorKind::NotReady,
        // A conflict is between this request and a state it cannot change: sending it again meets it again.
        "validationexception" | "validationerror" | "serializationexception" | "conflictexception" => {
            ModelErrorKind::Validation
        }
        "accessdeniedexception"
        | "accessdenied"
        | "unrecognizedclientexception"
        | "invalidclienttokenid"
        | "invalidsignatureexception"
        | "incompletesignature"
        | "incompletesignatureexception"
        | "missingauthenticationtoken"
        | "missingauthenticationtokenexception"
        | "expiredtoken"
        | "expiredtokenexception"
        | "requestexpired"
        | "optinrequired"
        | "notauthorized" => ModelErrorKind::AccessDenied,
        "resourcenotfoundexception" | "unknownoperationexception" => ModelErrorKind::NotFound,
        _ => return None,
    })
}

fn by_status(status: u16, message: &str) -> ModelErrorKind {
    match status {
        429 => ModelErrorKind::Throttled(cause(message)),
        503 => unavailable(message),
        408 => ModelErrorKind::ModelTimeout,
        424 => ModelErrorKind::ModelFailed,
        401 | 403 => ModelErrorKind::AccessDenied,
        404 => ModelErrorKind::NotFound,
        400..=499 => ModelErrorKind::Validation,
        500..=599 => ModelErrorKind::Internal,
        // Inside a stream: an exception this version does not know.
        0 => ModelErrorKind::ModelFailed,
        _ => ModelErrorKind::Malformed,
    }
}

/// "Too many connections" is a limit like any other; every other 503 says that the service is not well.
fn unavailable(message: &str) -> ModelErrorKind {
    match named_cause(message) {
        Some(ThrottleCause::Capacity) => ModelErrorKind::Throttled(ThrottleCause::Capacity),
        _ => ModelErrorKind::Unavailable,
    }
}

/// The limit a throttle's sentence names; tokens where it names none, since that quota binds.
fn cause(message: &str) -> ThrottleCause {
    named_cause(message).unwrap_or(ThrottleCause::Tokens)
}

fn named_cause(message: &str) -> Option<ThrottleCause> {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    // The day first: "Too many tokens per day" also says "Too many tokens".
    if says("per day") || says("daily") {
        Some(ThrottleCause::Day)
    } else if says("too many connections") {
        Some(ThrottleCause::Capacity)
    } else if says("too many tokens") || says("tokens per minute") {
        Some(ThrottleCause::Tokens)
    } else if says("too many requests") || says("request rate") || says("requests per minute") {
        Some(ThrottleCause::Requests)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ModelErrorKind as Kind;
    use ThrottleCause as Cause;
    use proptest::prelude::*;

    #[test]
    fn every_answer_of_bedrock_has_its_kind() {
        let wait = "please wait before trying again.";
        let rows: &[(&str, u16, &str, Kind)] = &[
            (
                "ThrottlingException",
                429,
                &format!("Too many tokens, {wait}"),
                Kind::Throttled(Cause::Tokens),
            ),
            (
                "ThrottlingException",
                429,
                &format!("Too many tokens per day, {wait}"),
                Kind::Throttled(Cause::Day),
            ),
            (
                "ThrottlingException",
                429,
                &format!("Too many requests, {wait}"),
                Kind::Throttled(Cause::Requests),
            ),
            (
                "ThrottlingException",
                429,
                "Your request rate is too high. Reduce it.",
                Kind::Throttled(Cause::Requests),
            ),
            (
                "ThrottlingException",
                429,
                "Slow down.",
                Kind::Throttled(Cause::Tokens),
            ),
            (
                "ThrottlingException",
                429,
                "Too many connections, retry.",
                Kind::Throttled(Cause::Capacity),
            ),
            (
                "ThrottlingException",
                400,
                "Rate exceeded",
                Kind::Throttled(Cause::Tokens),
            ),
            (
                "throttlingException",
                0,
                "Too many requests",
                Kind::Throttled(Cause::Requests),
            ),
            (
                "com.amazon.coral#ThrottlingException:http://internal/",
                429,
                "",
                Kind::Throttled(Cause::Tokens),
            ),
            (
                "TooManyRequestsException",
                429,
                "",
                Kind::Throttled(Cause::Requests),
            ),
            ("", 429, "Too many tokens", Kind::Throttled(Cause::Tokens)),
            (
                "ServiceQuotaExceededException",
                400,
                "Your request exceeds the quota.",
                Kind::AccessDenied,
            ),
            (
                "ServiceQuotaExceededException",
                400,
                "Too many tokens per day",
                Kind::Throttled(Cause::Day),
            ),
            (
                "ServiceUnavailableException",
                503,
                "Too many connections, please wait before trying again.",
                Kind::Throttled(Cause::Capacity),
            ),
            ("", 503, "Too many connections", Kind::Throttled(Cause::Capacity)),
            (
                "ServiceUnavailableException",
                503,
                "Bedrock is unable to process your request.",
                Kind::Unavailable,
            ),
            ("", 503, "Too many tokens", Kind::Unavailable),
            ("InternalServerException", 500, "", Kind::Internal),
            ("", 502, "<html>", Kind::Internal),
            ("", 504, "", Kind::Internal),
            ("ModelTimeoutException", 408, "", Kind::ModelTimeout),
            ("", 408, "", Kind::ModelTimeout),
            ("ModelErrorException", 424, "", Kind::ModelFailed),
            ("modelStreamErrorException", 0, "", Kind::ModelFailed),
            ("", 424, "", Kind::ModelFailed),
            (
                "ModelNotReadyException",
                429,
                "The model is not ready.",
                Kind::NotReady,
            ),
            ("ValidationException", 400, "prompt is too long", Kind::Validation),
            (
                "ValidationException",
                400,
                "Too many tokens in the prompt",
                Kind::Validation,
            ),
            ("ConflictException", 400, "", Kind::Validation),
            ("", 409, "", Kind::Validation),
            ("", 413, "", Kind::Validation),
            ("AccessDeniedException", 403, "", Kind::AccessDenied),
            ("UnrecognizedClientException", 403, "", Kind::AccessDenied),
            ("ExpiredTokenException", 400, "", Kind::AccessDenied),
            ("", 401, "", Kind::AccessDenied),
            ("ResourceNotFoundException", 404, "", Kind::NotFound),
            ("", 404, "", Kind::NotFound),
            ("SomethingNewException", 418, "", Kind::Validation),
            ("SomethingNewException", 599, "", Kind::Internal),
            ("somethingNewException", 0, "", Kind::ModelFailed),
            ("", 302, "", Kind::Malformed),
        ];
        for (exception, status, message, kind) in rows {
            assert_eq!(
                classify(exception, *status, message),
                *kind,
                "{exception} {status} {message}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_answer_has_a_kind(exception in ".*", status: u16, message in ".*") {
            let _ = classify(&exception, status, &message);
        }

        #[test]
        fn a_validation_error_is_never_a_throttle(message in ".*") {
            prop_assert_eq!(classify("ValidationException", 400, &message), Kind::Validation);
        }
    }
}
