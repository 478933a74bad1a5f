//! Whole numbers in bodies, with a message that says what was found.

use crate::refusal::Refusal;
use serde_json::value::RawValue;
use smoother_core::quoted;

/// A field that must be a whole number of at least 1, if it is there and not `null`.
pub(super) fn at_least_one(field: &str, raw: Option<&RawValue>) -> Result<Option<u64>, Refusal> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(None);
    };
    match text.parse::<u64>() {
        Ok(number) if number >= 1 => Ok(Some(number)),
        _ => Err(Refusal::invalid(format!(
            "The value at {field} is {}; it must be a whole number of at least 1.",
            quoted(text)
        ))),
    }
}
