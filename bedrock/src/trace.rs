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

    /// The header of the invocation under way, which Lambda's runtime has put into the environment.
    pub fn header(self) -> Option<(HeaderName, HeaderValue)> {
        self.of(|| env::var("_X_AMZN_TRACE_ID").ok())
    }

    fn of(self, under_way: impl FnOnce() -> Option<String>) -> Option<(HeaderName, HeaderValue)> {
        let trace = self.in_lambda.then(under_way)??;
        Some((HEADER, HeaderValue::from_str(&trace).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocations_trace_goes_on_and_elsewhere_none_is_made() {
        let of = |in_lambda, trace: &str| Trace { in_lambda }.of(|| Some(trace.to_owned()));
        let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        let (name, value) = of(true, trace).unwrap();
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("x-amzn-trace-id", trace)
        );
        assert_eq!(of(false, trace), None);
        assert_eq!(of(true, "a\nb"), None);
    }
}
