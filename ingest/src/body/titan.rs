//! InvokeModel bodies of Amazon Titan: text generation and embeddings.
//! Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-text.html

use super::Facts;
use super::content::Text;
use super::number::at_least_one;
use crate::json::{self, Object};
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    #[serde(borrow)]
    input_text: Option<Text<'a>>,
    #[serde(borrow)]
    input_image: Option<&'a RawValue>,
    #[serde(borrow)]
    text_generation_config: Option<Object<GenerationConfig<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(borrow)]
    max_token_count: Option<&'a RawValue>,
}

pub(super) fn read(text: &str, embeds: bool) -> Result<Facts, Refusal> {
    let view: View<'_> = json::object(text)?;
    let mut meter = Meter::default();
    match &view.input_text {
        Some(text) if !text.is_blank() => meter.text(&text.0),
        // An embedding may be of an image alone, or of a newer format that is measured as it stands.
        _ if embeds => meter.json(view.input_image.map_or(text, RawValue::get)),
        _ => {
            return Err(Refusal::invalid(
                "The inputText is blank. Add text to inputText and try again.",
            ));
        }
    }
    let field = "textGenerationConfig.maxTokenCount";
    let config = view.text_generation_config.as_ref();
    let max_output = at_least_one(field, config.and_then(|c| c.max_token_count))?;
    Ok(Facts {
        meter,
        max_output,
        max_output_field: field,
        no_output: embeds,
        ..Facts::default()
    })
}
