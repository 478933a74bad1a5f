//! What a caller's headers say, and which of them travel on.

use crate::key::Key;
use crate::refusal::{Refusal, quoted};
use crate::{priority, spans};
use http::HeaderMap;
use smoother_core::{Millis, OnDisconnect, Priority};

/// The headers, read.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) priority: Option<Priority>,
    pub(super) hint: Option<Priority>,
    pub(super) timeout: Option<Millis>,
    pub(super) max_wait: Option<Millis>,
    pub(super) key: Key,
    pub(super) fallback: Option<Vec<String>>,
    pub(super) on_disconnect: OnDisconnect,
    pub(super) upstream: Vec<(String, String)>,
}

const TIMEOUT: &str = "x-smoother-timeout-ms";
const MAX_WAIT: &str = "x-smoother-max-wait-ms";
const PRIORITY: &str = "x-smoother-priority";
const ON_DISCONNECT: &str = "x-smoother-on-disconnect";
const FALLBACK: &str = "x-smoother-fallback";
const KEY: &str = "idempotency-key";
const SERVICE_TIER: &str = "x-amzn-bedrock-service-tier";

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
        hint: text(headers, SERVICE_TIER)?.and_then(priority::of_tier),
        timeout: span(TIMEOUT)?,
        max_wait: span(MAX_WAIT)?,
        key: key(headers)?,
        fallback: text(headers, FALLBACK)?.map(lanes),
        on_disconnect: on_disconnect(text(headers, ON_DISCONNECT)?)?,
        upstream: upstream(headers),
    })
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Refusal::invalid(format!(
            "The header {name} holds characters outside printable ASCII."
        ))),
    }
}

fn key(headers: &HeaderMap) -> Result<Key, Refusal> {
    if let Some(own) = text(headers, KEY)? {
        return Key::given(own);
    }
    // The SDK's headers are not meant for us: what is odd in them is no mistake of the caller's.
    let sdk = |name| headers.get(name).and_then(|v| v.to_str().ok());
    Ok(sdk("amz-sdk-invocation-id").map_or(Key::None, |id| Key::invocation(id, sdk("amz-sdk-request"))))
}

/// Names between commas; `none` is none.
fn lanes(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names.filter(|name| *name != "none").map(str::to_owned).collect()
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

/// Headers of the operations themselves. Those that say what Bedrock takes for granted are left out.
pub(super) fn upstream(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, value)| match name.as_str() {
            "accept" => !matches!(value.as_bytes(), b"*/*" | b"application/json"),
            name => name.starts_with("x-amzn-bedrock-"),
        })
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}
