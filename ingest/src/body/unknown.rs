//! InvokeModel bodies of models this project knows nothing of: any JSON object. How much output they allow is
//! unknown, so the model's maximum is reserved.

use super::Facts;
use crate::json;
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) fn read(text: &str) -> Result<Facts, Refusal> {
    let object: HashMap<Cow<'_, str>, IgnoredAny> = json::object(text)?;
    if object.is_empty() {
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
