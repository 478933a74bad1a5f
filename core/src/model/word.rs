//! The words of errors, as JSON, filters and the command line have them.

use super::ModelErrorKind;
use crate::throttle::ThrottleCause;

impl ModelErrorKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Throttled(ThrottleCause::Tokens),
        Self::Throttled(ThrottleCause::Requests),
        Self::Throttled(ThrottleCause::Day),
        Self::Throttled(ThrottleCause::Capacity),
        Self::Unavailable,
        Self::Internal,
        Self::ModelTimeout,
        Self::ModelFailed,
        Self::NotReady,
        Self::Validation,
        Self::AccessDenied,
        Self::NotFound,
        Self::Connect,
        Self::Cut,
        Self::Stalled,
        Self::Malformed,
        Self::Setup,
    ];

    /// Its word: `internal`, `throttled_tokens` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled(ThrottleCause::Tokens) => "throttled_tokens",
            Self::Throttled(ThrottleCause::Requests) => "throttled_requests",
            Self::Throttled(ThrottleCause::Day) => "throttled_day",
            Self::Throttled(ThrottleCause::Capacity) => "throttled_capacity",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::ModelTimeout => "model_timeout",
            Self::ModelFailed => "model_failed",
            Self::NotReady => "not_ready",
            Self::Validation => "validation",
            Self::AccessDenied => "access_denied",
            Self::NotFound => "not_found",
            Self::Connect => "connect",
            Self::Cut => "cut",
            Self::Stalled => "stalled",
            Self::Malformed => "malformed",
            Self::Setup => "setup",
        }
    }
}

/// Which failures somebody means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFilter {
    /// Those whose last call met this.
    Kind(ModelErrorKind),
    /// Those that no call's error ended: never fitting its lane, a call whose fate a crash left unknown.
    NoCall,
}

/// The word of [`ErrorFilter::NoCall`].
const NO_CALL: &str = "none";

impl ErrorFilter {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.as_str(),
            Self::NoCall => NO_CALL,
        }
    }

    /// The filter with that word; the error lists those there are.
    pub fn parse(word: &str) -> Result<Self, UnknownError> {
        if word == NO_CALL {
            return Ok(Self::NoCall);
        }
        let known = ModelErrorKind::ALL.into_iter();
        known
            .map(Self::Kind)
            .find(|filter| filter.as_str() == word)
            .ok_or(UnknownError)
    }

    /// Whether a failure with this kind is meant.
    pub fn takes(self, kind: Option<ModelErrorKind>) -> bool {
        match self {
            Self::Kind(wanted) => kind == Some(wanted),
            Self::NoCall => kind.is_none(),
        }
    }
}

/// A word that names no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownError;

impl std::fmt::Display for UnknownError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<&str> = ModelErrorKind::ALL.map(ModelErrorKind::as_str).to_vec();
        write!(f, "error is none of {} and {NO_CALL}", known.join(", "))
    }
}

impl std::error::Error for UnknownError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_stored_rows_and_lead_back() {
        for kind in ModelErrorKind::ALL {
            let stored = serde_json::to_value(kind).unwrap();
            let stored = match &stored {
                serde_json::Value::Object(cause) => {
                    format!("throttled_{}", cause["throttled"].as_str().unwrap())
                }
                word => word.as_str().unwrap().to_owned(),
            };
            assert_eq!(kind.as_str(), stored);
            let filter = ErrorFilter::parse(kind.as_str()).unwrap();
            assert!(filter.takes(Some(kind)) && !filter.takes(None));
        }
        let none = ErrorFilter::parse("none").unwrap();
        assert!(none.takes(None) && !none.takes(Some(ModelErrorKind::Cut)));
        let said = ErrorFilter::parse("Internal").unwrap_err().to_string();
        assert!(said.contains("internal") && said.contains("none"), "{said}");
    }
}
