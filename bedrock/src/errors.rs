//! Bedrock's errors, read from their wire forms and classified.

use serde::Deserialize;
use serde_json::Value;
use smoother_core::ids::LaneId;
use smoother_core::model::{ModelError, ModelErrorKind};
use smoother_core::verdict::{classify, wire_name};
use std::error::Error;

/// A message is cut here: what is longer is a page of some proxy's, not Bedrock's sentence.
const MAX_MESSAGE: usize = 2_000;
/// Nobody is kept waiting longer for an upstream's word, whatever number stands there: later it is asked again.
const LONGEST_DELAY_MS: u64 = 5 * 60 * 1_000;

/// The body of an error, in the spellings AWS uses.
#[derive(Debug, Default, Deserialize)]
struct Wire {
    message: Option<Value>,
    #[serde(rename = "Message")]
    message_capital: Option<Value>,
    #[serde(rename = "__type")]
    kind: Option<Value>,
    code: Option<Value>,
    #[serde(rename = "expectedQueueDelayInMs")]
    delay: Option<Value>,
}

impl Wire {
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn message(&self) -> Option<String> {
        text(self.message.as_ref()).or_else(|| text(self.message_capital.as_ref()))
    }

    fn name(&self) -> Option<String> {
        text(self.kind.as_ref()).or_else(|| text(self.code.as_ref()))
    }

    fn delay(&self) -> Option<u64> {
        let delay = self.delay.as_ref()?;
        let said = delay.as_u64().or_else(|| delay.as_str()?.trim().parse().ok());
        said.map(|ms| ms.min(LONGEST_DELAY_MS))
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?
        .as_str()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

/// An answer with an error status.
pub(crate) fn answered(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> ModelError {
    let wire = Wire::parse(body);
    let named = headers
        .iter()
        .find(|(name, _)| name == "x-amzn-errortype")
        .map(|(_, value)| value.clone())
        .or_else(|| wire.name());
    let exception = named.as_deref().map(bare).filter(is_name).unwrap_or_default();
    let message = wire.message().unwrap_or_else(|| fallback_message(status, body));
    let kind = classify(exception, status, &message);
    let (usual_status, usual_name) = wire_name(kind);
    let exception = if exception.is_empty() {
        usual_name
    } else {
        exception
    };
    ModelError {
        kind,
        // A redirect or a status out of all ranges is no error that a caller could be given.
        status: if (400..600).contains(&status) {
            status
        } else {
            usual_status
        },
        exception: exception.to_owned(),
        message: shortened(message),
        retry_after_ms: wire.delay(),
        headers,
    }
}

/// An exception frame of an event stream; `name` is in the stream's camel case.
pub(crate) fn in_stream(name: &str, payload: &[u8], headers: Vec<(String, String)>) -> ModelError {
    let wire = Wire::parse(payload);
    let message = wire.message().unwrap_or_else(|| fallback_message(0, payload));
    let kind = classify(name, 0, &message);
    let mut exception = Some(bare(name)).filter(is_name).unwrap_or_default().to_owned();
    if let Some(first) = exception.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    let (status, usual) = wire_name(kind);
    if exception.is_empty() {
        usual.clone_into(&mut exception);
    }
    ModelError {
        kind,
        status,
        exception,
        message: shortened(message),
        retry_after_ms: wire.delay(),
        headers,
    }
}

/// A failure met on this side, under the name that Bedrock would give it.
pub(crate) fn ours(kind: ModelErrorKind, message: String) -> ModelError {
    let (status, exception) = wire_name(kind);
    ModelError {
        kind,
        status,
        exception: exception.to_owned(),
        message: shortened(message),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}

/// The connection broke while the answer was coming.
pub(crate) fn cut(error: &(dyn Error + 'static)) -> ModelError {
    ours(
        ModelErrorKind::Cut,
        format!(
            "the connection broke while the answer was coming: {}",
            chain(error)
        ),
    )
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

/// The stream stopped without its end.
pub(crate) fn ended_early(what: &str) -> ModelError {
    ours(ModelErrorKind::Cut, format!("the event stream ended {what}"))
}

/// Bytes that are no event stream.
pub(crate) fn malformed(error: &dyn std::fmt::Display) -> ModelError {
    ours(
        ModelErrorKind::Malformed,
        format!("the event stream is damaged: {error}"),
    )
}

/// A header that cannot be sent.
pub(crate) fn bad_header(name: &str) -> ModelError {
    ours(
        ModelErrorKind::Validation,
        format!("header {name} holds characters that no header may hold"),
    )
}

/// A path that cannot be called, because of the name in it: the endpoint before it was looked at when it was set.
pub(crate) fn bad_path(error: &http::Error) -> ModelError {
    ours(
        ModelErrorKind::Validation,
        format!("what is named in the path cannot be called: {error}"),
    )
}

/// A lane this port was not connected for.
pub(crate) fn unknown_lane(lane: &LaneId) -> ModelError {
    ours(
        ModelErrorKind::Setup,
        format!("lane {lane} has no endpoint in this process; check the configuration"),
    )
}

/// The name without its namespace and its documentation link.
fn bare(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

/// Whether it can be an exception's name, which callers get in a header of the same kind.
fn is_name(text: &&str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn fallback_message(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() || text == "{}" {
        return format!("Bedrock answered with status {status} and no message");
    }
    text.to_owned()
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_becomes_an_error_that_a_caller_can_be_given() {
        for status in [302, 304, 700, 999] {
            let error = answered(status, Vec::new(), b"{}");
            assert_eq!((error.status, error.kind), wire(error.kind), "{status}");
        }
        assert_eq!(answered(418, Vec::new(), b"{}").status, 418);
    }

    fn wire(kind: ModelErrorKind) -> (u16, ModelErrorKind) {
        (wire_name(kind).0, kind)
    }

    #[test]
    fn a_blank_sentence_is_none() {
        let error = answered(
            429,
            Vec::new(),
            br#"{"message":" ","Message":"Too many tokens."}"#,
        );
        assert_eq!(error.message, "Too many tokens.");
    }

    #[test]
    fn a_delay_beyond_reason_is_a_long_one() {
        let told = |delay: &str| {
            let body = format!(r#"{{"message":"Come back.","expectedQueueDelayInMs":{delay}}}"#);
            answered(503, Vec::new(), body.as_bytes()).retry_after_ms
        };
        assert_eq!(told("1500"), Some(1_500));
        assert_eq!(told(r#""1500""#), Some(1_500));
        assert_eq!(told("18446744073709551615"), Some(LONGEST_DELAY_MS));
        assert_eq!(told("-1"), None);
    }

    #[test]
    fn what_is_no_name_names_no_exception() {
        let said = |name: &str| vec![("x-amzn-errortype".to_owned(), name.to_owned())];
        for name in ["\"", "a b", "", &"x".repeat(129)] {
            assert_eq!(
                answered(503, said(name), b"{}").exception,
                "ServiceUnavailableException",
                "{name:?}"
            );
            let error = in_stream(name, b"{}", Vec::new());
            assert_eq!(error.exception, wire_name(error.kind).1, "{name:?}");
        }
        assert_eq!(answered(503, said("a#Odd:b"), b"{}").exception, "Odd");
    }
}
