//! What goes over the wire: the caller's bytes in a request, and Bedrock's in an answer, untouched.

use crate::errors;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smoother_core::model::{ModelError, ModelHead, Operation};

/// What a name keeps in a path; all else, colons and slashes of an ARN too, is encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Bedrock's answer, its body not yet read.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) head: ModelHead,
    pub(crate) body: SdkBody,
}

/// A part of a path, encoded.
pub(crate) fn label(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, UNRESERVED)
}

/// The path of an operation on a model.
pub(crate) fn path(operation: Operation, model: &str) -> String {
    format!("/model/{}/{}", label(model), operation.as_str())
}

/// The request, unsigned: the body as it is, and of the headers those that are the operation's own.
///
/// `url` holds the endpoint and the path, encoded.
pub(crate) fn request(
    url: &str,
    agent: &HeaderValue,
    body: Bytes,
    headers: &[(String, String)],
) -> Result<Request<Bytes>, ModelError> {
    let mut request = Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, agent)
        .header(CONTENT_LENGTH, body.len())
        .body(body)
        .map_err(|error| errors::bad_path(&error))?;
    for (name, value) in headers.iter().filter(|(name, _)| travels(name)) {
        let (header, value) = header(name, value).ok_or_else(|| errors::bad_header(name))?;
        request.headers_mut().insert(header, value);
    }
    Ok(request)
}

/// The operations' own headers: guardrail, trace, latency, service tier, and the content's types.
fn travels(name: &str) -> bool {
    name == "accept" || name == "content-type" || name.starts_with("x-amzn-bedrock-")
}

/// Text only, as the SDK has it.
fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Of an answer's headers those that tell of the call.
pub(crate) fn head<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> ModelHead {
    let mut head = ModelHead::default();
    for (name, value) in headers {
        if name == CONTENT_TYPE.as_str() {
            value.clone_into(&mut head.content_type);
        } else if name.starts_with("x-amzn-") {
            head.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_what_is_unreserved_and_encodes_the_rest() {
        assert_eq!(
            path(Operation::Converse, "us.anthropic.claude-x_y~1:0"),
            "/model/us.anthropic.claude-x_y~1%3A0/converse"
        );
        assert_eq!(
            path(Operation::Invoke, "a/b ?#%é"),
            "/model/a%2Fb%20%3F%23%25%C3%A9/invoke"
        );
    }

    #[test]
    fn a_name_that_no_address_holds_is_the_callers_mistake_and_tells_no_endpoint() {
        let agent = HeaderValue::from_static("test");
        let url = format!(
            "http://inside.example.com{}",
            path(Operation::Invoke, &"x".repeat(70_000))
        );
        let error = request(&url, &agent, Bytes::new(), &[]).unwrap_err();
        assert_eq!(error.status, 400, "{error}");
        assert!(!error.message.contains("inside"), "{error}");
    }

    #[test]
    fn headers_of_others_stay_behind_and_what_no_header_holds_is_refused() {
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let agent = HeaderValue::from_static("test");
        let made = |headers: &[(String, String)]| {
            request(
                "http://127.0.0.1:1/model/m/converse",
                &agent,
                Bytes::new(),
                headers,
            )
        };
        let alone = made(&[]).unwrap();
        let with_others = made(&header("authorization", "x")).unwrap();
        assert_eq!(alone.headers(), with_others.headers());
        for odd in ["a\nb", "\u{7f}"] {
            let error = made(&header("x-amzn-bedrock-trace", odd)).unwrap_err();
            assert!(error.message.contains("x-amzn-bedrock-trace"), "{error}");
        }
    }
}
