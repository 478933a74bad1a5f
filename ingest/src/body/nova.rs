//! InvokeModel bodies of Amazon Nova: messages as in Converse, and its own inference settings.
//! Source: docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html

use super::Facts;
use super::content::{Counted, Text, blank, check_count, check_role, empty, measure_tools};
use super::converse::Block;
use super::number::at_least_one;
use crate::json::{self, Object};
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    #[serde(borrow)]
    messages: Option<Counted<Object<Message<'a>>>>,
    #[serde(borrow)]
    system: Option<Vec<Object<Block<'a>>>>,
    #[serde(borrow)]
    inference_config: Option<Object<InferenceConfig<'a>>>,
    #[serde(borrow)]
    tool_config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Vec<Object<Block<'a>>>,
}

/// Both spellings of the maximum are in use.
#[derive(Deserialize)]
struct InferenceConfig<'a> {
    #[serde(borrow, rename = "maxTokens")]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_new_tokens: Option<&'a RawValue>,
}

pub(super) fn read(text: &str) -> Result<Facts, Refusal> {
    let view: View<'_> = json::object(text)?;
    let mut meter = Meter::default();
    let none = Counted {
        items: Vec::new(),
        count: 0,
    };
    let messages = view.messages.as_ref().unwrap_or(&none);
    check_count(messages)?;
    for (index, message) in messages.items.iter().enumerate() {
        check_role(&message.role, index)?;
        if message.content.is_empty() {
            return Err(empty(index));
        }
        meter.message();
        for (number, block) in message.content.iter().enumerate() {
            if block.text().is_some_and(Text::is_blank) {
                return Err(blank(index, number));
            }
            block.measure(&mut meter);
        }
    }
    view.system
        .iter()
        .flatten()
        .for_each(|block| block.measure(&mut meter));
    measure_tools(&mut meter, view.tool_config);
    let field = "inferenceConfig.maxTokens";
    let config = view.inference_config.as_ref();
    let max_output = at_least_one(field, config.and_then(|c| c.max_tokens.or(c.max_new_tokens)))?;
    Ok(Facts {
        meter,
        max_output,
        max_output_field: field,
        ..Facts::default()
    })
}
