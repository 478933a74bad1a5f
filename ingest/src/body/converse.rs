//! Bodies of Converse and ConverseStream: one format for every model.

use super::Facts;
use super::content::{Counted, Text, blank, check_count, check_role, empty, measure_json, measure_tools};
use super::number::at_least_one;
use crate::json::{self, Object};
use crate::meter::Meter;
use crate::priority::of_tier;
use crate::refusal::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use smoother_core::Priority;
use smoother_core::degraded::Form;
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
    #[serde(borrow)]
    prompt_variables: Option<&'a RawValue>,
    #[serde(borrow)]
    request_metadata: Option<Object<Metadata<'a>>>,
    #[serde(borrow)]
    service_tier: Option<Object<Tier<'a>>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Vec<Object<Block<'a>>>,
}

/// A content block: its text, or whatever else the model reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    image: Option<IgnoredAny>,
    #[serde(borrow)]
    document: Option<Object<Document<'a>>>,
    video: Option<IgnoredAny>,
    audio: Option<IgnoredAny>,
    #[serde(borrow)]
    tool_use: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_result: Option<Object<ToolResult<'a>>>,
    /// Of tool results.
    #[serde(borrow)]
    json: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    guard_content: Option<&'a RawValue>,
    #[serde(borrow)]
    search_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolResult<'a> {
    #[serde(borrow)]
    content: Vec<Object<Block<'a>>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    format: Option<Text<'a>>,
    #[serde(borrow)]
    source: Option<Object<Source<'a>>>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    bytes: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig<'a> {
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    priority: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(borrow, rename = "type")]
    tier: Option<Text<'a>>,
}

pub(super) fn read(model: &str, text: &str) -> Result<Facts, Refusal> {
    let view: View<'_> = json::object(text)?;
    let mut meter = Meter::default();
    match &view.messages {
        // A managed prompt brings its own messages.
        None if model.contains(":prompt/") => {}
        None => check_count(&Counted::<()> {
            items: Vec::new(),
            count: 0,
        })?,
        Some(messages) => read_messages(&mut meter, messages)?,
    }
    for block in view.system.iter().flatten() {
        block.measure(&mut meter);
    }
    measure_tools(&mut meter, view.tool_config);
    measure_json(&mut meter, view.prompt_variables);
    let field = "inferenceConfig.maxTokens";
    let max_output = at_least_one(field, view.inference_config.as_ref().and_then(|c| c.max_tokens))?;
    let hint = hint(view.request_metadata.as_deref(), view.service_tier.as_deref());
    Ok(Facts {
        form: Some(Form::Converse),
        meter,
        max_output,
        max_output_field: field,
        hint,
        no_output: false,
    })
}

fn read_messages(meter: &mut Meter, messages: &Counted<Object<Message<'_>>>) -> Result<(), Refusal> {
    check_count(messages)?;
    for (index, message) in messages.items.iter().enumerate() {
        check_role(&message.role, index)?;
        if message.content.is_empty() {
            return Err(empty(index));
        }
        meter.message();
        for (number, block) in message.content.iter().enumerate() {
            if block.text.as_ref().is_some_and(Text::is_blank) {
                return Err(blank(index, number));
            }
            block.measure(meter);
        }
    }
    Ok(())
}

impl Block<'_> {
    pub(super) fn text(&self) -> Option<&Text<'_>> {
        self.text.as_ref()
    }

    pub(super) fn measure(&self, meter: &mut Meter) {
        if let Some(text) = &self.text {
            meter.text(&text.0);
        }
        for _ in [&self.image, &self.video, &self.audio].into_iter().flatten() {
            meter.picture();
        }
        if let Some(document) = &self.document {
            document.measure(meter);
        }
        for block in self.tool_result.iter().flat_map(|result| &result.content) {
            block.measure(meter);
        }
        for raw in [
            self.tool_use,
            self.json,
            self.reasoning_content,
            self.guard_content,
            self.search_result,
        ] {
            measure_json(meter, raw);
        }
    }
}

impl Document<'_> {
    fn measure(&self, meter: &mut Meter) {
        let is_text = self
            .format
            .as_ref()
            .is_some_and(|f| matches!(f.0.as_ref(), "txt" | "md" | "csv" | "html"));
        let source = self.source.as_ref();
        if let Some(text) = source.and_then(|s| s.text.as_ref()) {
            meter.text(&text.0);
        } else {
            // What lies in S3 is not seen from here: one page at least.
            let bytes = source
                .and_then(|s| s.bytes.as_ref())
                .map_or("", |bytes| bytes.0.as_ref());
            meter.document(bytes, is_text);
        }
    }
}

/// What Bedrock's own fields say of haste. The metadata is the caller's to fill as it likes, so a word there that
/// is no priority of ours is not a mistake.
fn hint(metadata: Option<&Metadata<'_>>, tier: Option<&Tier<'_>>) -> Option<Priority> {
    let word = metadata
        .and_then(|m| m.priority)
        .map(|raw| raw.get().trim_matches('"'));
    word.and_then(Priority::parse)
        .or_else(|| tier.and_then(|t| t.tier.as_ref()).and_then(|t| of_tier(&t.0)))
}
