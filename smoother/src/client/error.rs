//! What can go wrong between a command and the server.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// The server's own words for a refusal (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// What kind: a URI whose last part is a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind as a sentence.
    pub title: String,
    /// What, which, and what to do next.
    pub detail: String,
    /// A job's own failure, where one is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

impl Problem {
    /// The last part of the type: `job-failed`, `unknown-model` …
    pub fn word(&self) -> &str {
        self.kind.rsplit([':', '/', '#']).next().unwrap_or_default()
    }
}

/// A request to the server that brought no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or it broke.
    #[error(
        "{server} cannot be reached ({cause}); start it with `smoother serve`, or name another with --target"
    )]
    Unreachable {
        /// Where it was sought.
        server: String,
        /// Why.
        cause: String,
    },
    /// AWS does not say where the deployment is.
    #[error(
        "the deployment {name} cannot be found ({cause}); it is sought by AWS_REGION, AWS_PROFILE and the like, and \
         needs lambda:GetFunctionUrlConfig"
    )]
    NoDeployment {
        /// Its name.
        name: String,
        /// Why.
        cause: String,
    },
    /// The door asks for a signature, and there is none.
    #[error("a request to {server} cannot be signed: {cause}")]
    Unsigned {
        /// Whose door.
        server: String,
        /// Why.
        cause: String,
    },
    /// The server said no.
    #[error("{}", sentence(.problem, *.status))]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why, in its own words.
        problem: Box<Problem>,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The answer is not one of the smoother's.
    #[error("{server} answers as no smoother does ({cause}); is it the right address?")]
    Foreign {
        /// Who answered.
        server: String,
        /// What was wrong.
        cause: String,
    },
}

impl ClientError {
    /// Whether sending the same again may be answered.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(*status, 408 | 429 | 502..=504 | 507),
            Self::NoDeployment { .. } | Self::Unsigned { .. } | Self::Foreign { .. } => false,
        }
    }

    /// When the server wants to be asked again.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn sentence(problem: &Problem, status: u16) -> String {
    match (problem.title.as_str(), problem.detail.as_str()) {
        ("", "") => format!("the server answered {status}"),
        (title, "") => title.to_owned(),
        (_, detail) => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_named_by_the_last_part_of_its_type() {
        for (kind, word) in [
            ("urn:bedrock-smoother:problem:job-failed", "job-failed"),
            ("https://example.com/problems/unknown-model", "unknown-model"),
            ("about:blank", "blank"),
            ("", ""),
        ] {
            let problem = Problem {
                kind: kind.to_owned(),
                ..Problem::default()
            };
            assert_eq!(problem.word(), word);
        }
    }
}
