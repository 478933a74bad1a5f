//! InvokeModel bodies of models this project knows nothing of: any JSON object. How much output they allow is
//! unknown, so the model's maximum is reserved.

use super::{Facts, parse};
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;

/// An object with whatever it holds.
#[derive(Deserialize)]
#[serde(transparent)]
struct Object(HashMap<String, IgnoredAny>);

pub(super) fn read(text: &str) -> Result<Facts, Refusal> {
    let object: Object = parse(text)?;
    if object.0.is_empty() {
        return Err(Refusal::invalid(
            "The body is an empty object; it must hold the model's input.",
        ));
    }
    let mut meter = Meter::default();
    meter.json(text);
    Ok(Facts {
        meter,
        max_output_field: "max_tokens",
        ..Facts::default()
    })
}
