//! The bodies of Converse and of the four families' InvokeModel in one shape: each uses its own keys
//! of it. Text is summed up while it is read; no tree of the body is built.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::prose::{Any, IntoProse, Prose};
use crate::object::{AnyObject, Object};

/// Everything that any of the wires may say and the simulator understands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<Object<Message<'a>>>>,
    pub(super) system: Option<Content>,
    #[serde(rename = "inferenceConfig")]
    pub(super) inference_config: Option<Object<InferenceConfig>>,
    #[serde(rename = "toolConfig", borrow)]
    pub(super) tool_config: Option<Object<ToolConfig<'a>>>,
    pub(super) anthropic_version: Option<IgnoredAny>,
    pub(super) max_tokens: Option<u64>,
    #[serde(borrow)]
    pub(super) tools: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_choice: Option<Object<AnthropicChoice<'a>>>,
    #[serde(rename = "inputText")]
    pub(super) input_text: Option<Any>,
    #[serde(rename = "textGenerationConfig")]
    pub(super) text_generation_config: Option<Object<TextGenerationConfig>>,
    pub(super) prompt: Option<Any>,
    pub(super) max_gen_len: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InferenceConfig {
    #[serde(rename = "maxTokens", alias = "max_new_tokens")]
    pub(super) max_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TextGenerationConfig {
    #[serde(rename = "maxTokenCount")]
    pub(super) max_token_count: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolConfig<'a> {
    #[serde(borrow)]
    pub(super) tools: Option<&'a RawValue>,
    #[serde(rename = "toolChoice", borrow)]
    pub(super) choice: Option<Object<ConverseChoice<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConverseChoice<'a> {
    pub(super) any: Option<AnyObject>,
    #[serde(borrow)]
    pub(super) tool: Option<Object<NamedTool<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedTool<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AnthropicChoice<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) role: Cow<'a, str>,
    #[serde(default)]
    pub(super) content: Content,
}

/// A message's content: a string, or a list of content blocks.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) prose: Prose,
    pub(super) blocks: usize,
    /// The first text block that says nothing.
    pub(super) blank: Option<usize>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut content = Self::default();
        deserializer.deserialize_any(IntoContent(&mut content))?;
        Ok(content)
    }
}

struct IntoContent<'c>(&'c mut Content);

impl<'de> DeserializeSeed<'de> for IntoContent<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IntoContent<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string or a list of content blocks")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.trim_ascii().is_empty() {
            self.0.blank = Some(self.0.blocks);
        }
        self.0.blocks += 1;
        self.0.prose.add_text(text).map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(IntoBlock(&mut *self.0))?.is_some() {
            self.0.blocks += 1;
        }
        Ok(())
    }
}

/// One content block, of Converse (`{"text": …}`) or of Anthropic (`{"type": "text", "text": …}`),
/// or a tool result inside one.
struct IntoBlock<'c>(&'c mut Content);

impl<'de> DeserializeSeed<'de> for IntoBlock<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for IntoBlock<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a content block")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let content = self.0;
        while let Some(key) = entries.next_key::<Key>()? {
            match key {
                Key::Text => entries.next_value_seed(IntoText(&mut *content))?,
                Key::Media => {
                    entries.next_value::<IgnoredAny>()?;
                    content.prose.add_media();
                }
                Key::Ignored => {
                    entries.next_value::<IgnoredAny>()?;
                }
                Key::ToolResult => entries.next_value_seed(IntoBlock(&mut *content))?,
                Key::Content => {
                    let mut inner = Content {
                        prose: std::mem::take(&mut content.prose),
                        ..Content::default()
                    };
                    entries.next_value_seed(IntoContent(&mut inner))?;
                    content.prose = inner.prose;
                }
                Key::Other => entries.next_value_seed(IntoProse(&mut content.prose))?,
            }
        }
        Ok(())
    }
}

/// The text of a text block.
struct IntoText<'c>(&'c mut Content);

impl<'de> DeserializeSeed<'de> for IntoText<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IntoText<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.trim_ascii().is_empty() {
            self.0.blank.get_or_insert(self.0.blocks);
        }
        self.0.prose.add_text(text).map_err(E::custom)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Text,
    #[serde(
        alias = "image",
        alias = "source",
        alias = "video",
        alias = "document",
        alias = "audio"
    )]
    Media,
    #[serde(
        alias = "type",
        alias = "cachePoint",
        alias = "cache_control",
        alias = "toolUseId",
        alias = "tool_use_id",
        alias = "id",
        alias = "status",
        alias = "is_error",
        alias = "signature"
    )]
    Ignored,
    ToolResult,
    Content,
    #[serde(other)]
    Other,
}
