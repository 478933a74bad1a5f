//! Spans of time as people write them: `5s`, `250ms`, `1h 30min`.

use serde::{Deserialize, Deserializer};
use smoother_core::Millis;

/// A span out of its text.
///
/// # Errors
/// What is wrong with it, and what a right one looks like.
pub fn parse(text: &str) -> Result<Millis, String> {
    let span = humantime::parse_duration(text).map_err(|e| format!("{e}; give it as 5s, 250ms or 2min"))?;
    u64::try_from(span.as_millis())
        .map(Millis::new)
        .map_err(|_| "it is longer than anything measured here".to_owned())
}

pub(crate) fn from_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Millis>, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}
