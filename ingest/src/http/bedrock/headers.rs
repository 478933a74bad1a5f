//! What a caller's headers say, and which of them travel on.

use crate::http::header::{fallback, of_operation, right_size, text, tier};
use crate::key::Key;
use crate::refusal::Refusal;
use crate::{priority, spans};
use http::HeaderMap;
use http::header::ACCEPT;
use smoother_core::{Millis, OnDisconnect, Priority, quoted};

/// The headers, read.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) priority: Option<Priority>,
    pub(super) hint: Option<Priority>,
    pub(super) timeout: Option<Millis>,
    pub(super) max_wait: Option<Millis>,
    pub(super) key: Key,
    pub(super) fallback: Option<Vec<String>>,
    pub(super) right_size: Option<bool>,
    pub(super) on_disconnect: OnDisconnect,
    pub(super) upstream: Vec<(String, String)>,
}

const TIMEOUT: &str = "x-smoother-timeout-ms";
const MAX_WAIT: &str = "x-smoother-max-wait-ms";
const PRIORITY: &str = "x-smoother-priority";
const ON_DISCONNECT: &str = "x-smoother-on-disconnect";
const KEY: &str = "idempotency-key";

/// Reads what this door understands.
pub(super) fn read(headers: &HeaderMap) -> Result<Said, Refusal> {
    let span = |name| match text(headers, name)? {
        Some(text) => spans::parse(name, text, spans::LONGEST_SYNC).map(Some),
        None => Ok(None),
    };
    Ok(Said {
        priority: text(headers, PRIORITY)?
            .map(|word| priority::parse(PRIORITY, word))
            .transpose()?,
        hint: tier(headers)?,
        timeout: span(TIMEOUT)?,
        max_wait: span(MAX_WAIT)?,
        key: key(headers)?,
        fallback: fallback(headers)?,
        right_size: right_size(headers)?,
        on_disconnect: on_disconnect(text(headers, ON_DISCONNECT)?)?,
        upstream: upstream(headers),
    })
}

fn key(headers: &HeaderMap) -> Result<Key, Refusal> {
    if let Some(own) = text(headers, KEY)? {
        return Key::given(own);
    }
    // The SDK's headers are not meant for us: what is odd in them is no mistake of the caller's.
    let sdk = |name| headers.get(name).and_then(|v| v.to_str().ok());
    Ok(sdk("amz-sdk-invocation-id").map_or(Key::None, |id| Key::invocation(id, sdk("amz-sdk-request"))))
}

fn on_disconnect(word: Option<&str>) -> Result<OnDisconnect, Refusal> {
    match word.map(str::trim) {
        None | Some("cancel") => Ok(OnDisconnect::Cancel),
        Some("finish") => Ok(OnDisconnect::Finish),
        Some(other) => Err(Refusal::invalid(format!(
            "{ON_DISCONNECT} is {:?}; it must be cancel or finish.",
            quoted(other)
        ))),
    }
}

/// Headers that travel: those of the operations, and which content is wanted, where that is not what Bedrock takes for
/// granted.
pub(super) fn upstream(headers: &HeaderMap) -> Vec<(String, String)> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let accept = accept.filter(|wanted| !matches!(*wanted, "*/*" | "application/json"));
    let accept = accept.map(|wanted| (ACCEPT.as_str().to_owned(), wanted.to_owned()));
    accept.into_iter().chain(of_operation(headers)).collect()
}
