//! InvokeModel bodies of Meta Llama.
//! Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html

use super::Facts;
use super::content::Text;
use super::number::at_least_one;
use crate::json;
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    prompt: Option<Text<'a>>,
    images: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    max_gen_len: Option<&'a RawValue>,
}

pub(super) fn read(text: &str) -> Result<Facts, Refusal> {
    let view: View<'_> = json::object(text)?;
    let mut meter = Meter::default();
    match &view.prompt {
        Some(prompt) if !prompt.is_blank() => meter.text(&prompt.0),
        _ => {
            return Err(Refusal::invalid(
                "The prompt is blank. Add text to prompt and try again.",
            ));
        }
    }
    view.images.iter().flatten().for_each(|_| meter.picture());
    let max_output = at_least_one("max_gen_len", view.max_gen_len)?;
    Ok(Facts {
        meter,
        max_output,
        max_output_field: "max_gen_len",
        ..Facts::default()
    })
}
