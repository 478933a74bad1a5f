//! What an AWS service's refusal means for whoever asked.
//!
//! The SDK's own retries are off everywhere in this crate: it cannot know which write may be sent again, nor how one
//! finds out whether it was made. [`crate::retry`] is the one layer that asks again.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use smoother_core::ports::StoreError;
use std::error::Error;
use std::fmt;

/// A message of a service is cut here: what is longer is a page of some proxy's.
const MAX_MESSAGE: usize = 500;

/// What was asked, and of what: an error names both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// The permission it takes, such as `dynamodb:PutItem`.
    pub(crate) action: &'static str,
    /// The kind of resource: `table`, `bucket`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: &'a str,
}

/// A call to a service failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It was not done, and may be a little later: throttled, or in a conflict with another transaction.
    #[error("{0}")]
    Busy(String),
    /// Whether it was done is unknown: no answer, or one that says that something broke.
    #[error("{0}")]
    Unsure(String),
    /// It was not done and will not be before somebody has mended something.
    #[error("{0}")]
    Lasting(String),
    /// What came back is not what was sent there.
    #[error("{0}")]
    Damaged(String),
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(why) => Self::Damaged(why),
            Fault::Busy(why) | Fault::Unsure(why) | Fault::Lasting(why) => Self::Failed(why),
        }
    }
}

/// Refusals that come and go with the load.
const BUSY: [&str; 12] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "ThrottlingError",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionConflict",
    "TransactionInProgressException",
    "SlowDown",
    "RequestThrottled",
    "LimitExceededException",
];
/// The thing asked for does not exist.
const MISSING: [&str; 6] = [
    "ResourceNotFoundException",
    "NoSuchBucket",
    "TableNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NotFound",
];
/// The caller may not, or is not known.
const DENIED: [&str; 9] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "KMS.AccessDeniedException",
];

impl Asked<'_> {
    /// What a failed call means.
    pub(crate) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let meta = context.err().meta();
                let code = meta.code().unwrap_or_default();
                self.refused(
                    context.raw().status().as_u16(),
                    code,
                    meta.message().unwrap_or_default(),
                )
            }
            SdkError::ConstructionFailure(_) => Fault::Lasting(self.because(&chain(error))),
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Fault::Lasting(self.because(&chain(error)))
            }
            _ => Fault::Unsure(self.because(&chain(error))),
        }
    }

    /// What an error answer of this status, code and message means.
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) -> Fault {
        let Self { action, kind, name } = self;
        let message: String = message.chars().take(MAX_MESSAGE).collect();
        let said = [code, message.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty());
        let said = said.collect::<Vec<_>>().join(": ");
        if BUSY.contains(&code) {
            return Fault::Busy(self.because(&said));
        }
        if MISSING.contains(&code) {
            return Fault::Lasting(format!(
                "there is no {kind} {name} in this account and Region ({said}); deploy it, or name the one there is"
            ));
        }
        if DENIED.contains(&code) || (status == 403 && code.is_empty()) {
            return Fault::Lasting(format!(
                "{action} on {kind} {name} is denied ({said}); give the role of this process that permission"
            ));
        }
        if status >= 500 {
            return Fault::Unsure(self.because(&format!("status {status} {said}")));
        }
        Fault::Lasting(self.because(&format!("status {status} {said}")))
    }

    /// Says what was asked, of what, and what came of it.
    pub(crate) fn because(&self, what: &dyn fmt::Display) -> String {
        format!("{} on {} {}: {what}", self.action, self.kind, self.name)
    }
}

/// An error with its causes, outermost first, each once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Asked<'_> = Asked {
        action: "dynamodb:PutItem",
        kind: "table",
        name: "requests",
    };

    #[test]
    fn what_comes_and_goes_is_told_from_what_stays() {
        for (status, code, busy, unsure) in [
            (400, "ProvisionedThroughputExceededException", true, false),
            (400, "ThrottlingException", true, false),
            (400, "TransactionInProgressException", true, false),
            (503, "SlowDown", true, false),
            (500, "InternalServerError", false, true),
            (503, "ServiceUnavailable", false, true),
            (502, "", false, true),
            (400, "ValidationException", false, false),
            (403, "AccessDenied", false, false),
            (404, "NoSuchBucket", false, false),
        ] {
            let fault = PUT.refused(status, code, "so it is");
            assert_eq!(matches!(fault, Fault::Busy(_)), busy, "{code}");
            assert_eq!(matches!(fault, Fault::Unsure(_)), unsure, "{code}");
        }
    }

    #[test]
    fn an_error_names_the_action_the_resource_and_what_to_do() {
        let denied = PUT
            .refused(400, "AccessDeniedException", "User: x is not authorized")
            .to_string();
        assert!(
            denied.contains("dynamodb:PutItem on table requests is denied"),
            "{denied}"
        );
        assert!(denied.contains("give the role"), "{denied}");
        let missing = PUT.refused(400, "ResourceNotFoundException", "").to_string();
        assert!(missing.starts_with("there is no table requests"), "{missing}");
        let odd = PUT.refused(418, "Teapot", &"x".repeat(9_000)).to_string();
        assert!(odd.len() < 700 && odd.contains("Teapot"), "{odd}");
    }
}
