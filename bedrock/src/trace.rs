//! The trace that a call belongs to, where this runs in Lambda: what is called can then end a loop of functions that
//! call each other. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use http::{HeaderName, HeaderValue};
use std::env;

const HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Whether there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace {
    in_lambda: bool,
}

impl Trace {
    /// Looks where this runs.
    pub fn look() -> Self {
        Self {
            in_lambda: env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some(),
        }
    }

    /// The header of the invocation under way, as Lambda's runtime has put it into the environment.
    pub fn header(self) -> Option<(HeaderName, HeaderValue)> {
        if !self.in_lambda {
            return None;
        }
        let trace = env::var("_X_AMZN_TRACE_ID").ok()?;
        Some((HEADER, HeaderValue::from_str(&trace).ok()?))
    }
}
