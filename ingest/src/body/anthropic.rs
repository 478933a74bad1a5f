//! InvokeModel bodies of Anthropic's models: Messages, and the older text completions.
//! Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html

use super::Facts;
use super::content::{
    Content, Counted, Text, blank, check_count, check_role, empty, measure_json, measure_tools,
};
use super::number::at_least_one;
use crate::json::{self, Object};
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    messages: Option<Counted<Object<Message<'a>>>>,
    #[serde(borrow)]
    system: Option<Content<'a, Object<Block<'a>>>>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<Text<'a>>,
    #[serde(borrow)]
    max_tokens_to_sample: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Content<'a, Object<Block<'a>>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    /// Of images and documents.
    #[serde(borrow)]
    source: Option<Object<Source<'a>>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    /// Of tool results.
    #[serde(borrow)]
    content: Option<Content<'a, Object<Block<'a>>>>,
    /// Of tool uses.
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    media_type: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
}

pub(super) fn read(text: &str) -> Result<Facts, Refusal> {
    let view: View<'_> = json::object(text)?;
    let mut meter = Meter::default();
    if let (None, Some(prompt)) = (&view.messages, &view.prompt) {
        return read_completion(prompt, view.max_tokens_to_sample);
    }
    let none = Counted {
        items: Vec::new(),
        count: 0,
    };
    read_messages(&mut meter, view.messages.as_ref().unwrap_or(&none))?;
    if let Some(system) = &view.system {
        measure(system, &mut meter);
    }
    measure_tools(&mut meter, view.tools);
    let max_output = at_least_one("max_tokens", view.max_tokens)?;
    Ok(Facts {
        meter,
        max_output,
        max_output_field: "max_tokens",
        ..Facts::default()
    })
}

fn read_completion(prompt: &Text<'_>, most: Option<&RawValue>) -> Result<Facts, Refusal> {
    if prompt.is_blank() {
        return Err(Refusal::invalid(
            "The prompt is blank. Add text to prompt and try again.",
        ));
    }
    let mut meter = Meter::default();
    meter.text(&prompt.0);
    let max_output = at_least_one("max_tokens_to_sample", most)?;
    Ok(Facts {
        meter,
        max_output,
        max_output_field: "max_tokens_to_sample",
        ..Facts::default()
    })
}

fn read_messages(meter: &mut Meter, messages: &Counted<Object<Message<'_>>>) -> Result<(), Refusal> {
    check_count(messages)?;
    for (index, message) in messages.items.iter().enumerate() {
        check_role(&message.role, index)?;
        meter.message();
        // Anthropic lets the last message be an empty turn of the assistant, to be filled.
        let may_be_empty = index + 1 == messages.count && message.role == "assistant";
        match &message.content {
            Content::Text(text) => {
                if text.trim().is_empty() && !may_be_empty {
                    return Err(blank(index, 0));
                }
                meter.text(text);
            }
            Content::Blocks(blocks) => {
                if blocks.is_empty() && !may_be_empty {
                    return Err(empty(index));
                }
                for (number, block) in blocks.iter().enumerate() {
                    if block.text.as_ref().is_some_and(Text::is_blank) && !may_be_empty {
                        return Err(blank(index, number));
                    }
                    block.measure(meter);
                }
            }
        }
    }
    Ok(())
}

fn measure(content: &Content<'_, Object<Block<'_>>>, meter: &mut Meter) {
    match content {
        Content::Text(text) => meter.text(text),
        Content::Blocks(blocks) => blocks.iter().for_each(|block| block.measure(meter)),
    }
}

impl Block<'_> {
    fn measure(&self, meter: &mut Meter) {
        if let Some(text) = &self.text {
            meter.text(&text.0);
        }
        match self.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("document") => self.measure_document(meter),
            Some("image") => meter.picture(),
            _ => {}
        }
        if let Some(content) = &self.content {
            measure(content, meter);
        }
        for raw in [self.input, self.thinking] {
            measure_json(meter, raw);
        }
    }

    fn measure_document(&self, meter: &mut Meter) {
        let source = self.source.as_ref();
        let data = source
            .and_then(|s| s.data.as_ref())
            .map_or("", |data| data.0.as_ref());
        match source
            .and_then(|s| s.media_type.as_ref())
            .map(|kind| kind.0.as_ref())
        {
            Some("text/plain") => meter.text(data),
            _ => meter.document(data, false),
        }
    }
}
