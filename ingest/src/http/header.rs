//! Headers that more than one door reads.

use crate::priority;
use crate::refusal::Refusal;
use http::HeaderMap;
use smoother_core::{Priority, quoted};

const FALLBACK: &str = "x-smoother-fallback";
const RIGHT_SIZE: &str = "x-smoother-right-size";
const SERVICE_TIER: &str = "x-amzn-bedrock-service-tier";

/// A header's value.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    value.to_str().map(Some).map_err(|_| {
        Refusal::invalid(format!(
            "The header {name} holds characters outside printable ASCII."
        ))
    })
}

/// The lanes to go on in that the caller names, between commas; `none` is none.
pub(super) fn fallback(headers: &HeaderMap) -> Result<Option<Vec<String>>, Refusal> {
    let lanes = |text: &str| {
        let names = text.split(',').map(str::trim);
        names.filter(|name| *name != "none").map(str::to_owned).collect()
    };
    Ok(text(headers, FALLBACK)?.map(lanes))
}

/// Whether a smaller max_tokens may go upstream.
pub(super) fn right_size(headers: &HeaderMap) -> Result<Option<bool>, Refusal> {
    match text(headers, RIGHT_SIZE)?.map(str::trim) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(Refusal::invalid(format!(
            "{RIGHT_SIZE} is {:?}; it must be true or false.",
            quoted(other)
        ))),
    }
}

/// The band that InvokeModel's service tier hints at.
pub(super) fn tier(headers: &HeaderMap) -> Result<Option<Priority>, Refusal> {
    Ok(text(headers, SERVICE_TIER)?.and_then(priority::of_tier))
}

/// Headers of the operations themselves: guardrail, trace, latency, service tier.
pub(super) fn of_operation(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amzn-bedrock-"))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}
