//! The parts that several formats share: messages, and content that is a text or a list of blocks.

use super::MOST_MESSAGES;
use crate::meter::Meter;
use crate::refusal::Refusal;
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use smoother_core::quoted;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A text, borrowed where it holds no escapes. (serde borrows a plain `Cow` field, but not one inside `Option`.)
#[derive(Deserialize, Debug)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Text<'_> {
    pub(super) fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// A list of which only the first `MOST_MESSAGES` elements are kept; the rest are counted.
#[derive(Debug)]
pub(super) struct Counted<T> {
    pub(super) items: Vec<T>,
    pub(super) count: usize,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Counted<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Count<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Count<T> {
            type Value = Counted<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Counted<T>, S::Error> {
                let mut items = Vec::new();
                while items.len() < MOST_MESSAGES {
                    match list.next_element()? {
                        Some(item) => items.push(item),
                        None => {
                            return Ok(Counted {
                                count: items.len(),
                                items,
                            });
                        }
                    }
                }
                let mut count = items.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Counted { items, count })
            }
        }
        from.deserialize_seq(Count(PhantomData))
    }
}

/// Content that may be written as one text or as a list of blocks.
#[derive(Debug)]
pub(super) enum Content<'a, B> {
    Text(Cow<'a, str>),
    Blocks(Vec<B>),
}

impl<'de: 'a, 'a, B: Deserialize<'de>> Deserialize<'de> for Content<'a, B> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<'a, B>(PhantomData<(&'a (), B)>);
        impl<'de: 'a, 'a, B: Deserialize<'de>> Visitor<'de> for Either<'a, B> {
            type Value = Content<'a, B>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of content blocks")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = list.next_element()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

/// Counts, and refuses lists that are empty or too long.
pub(super) fn check_count<T>(messages: &Counted<T>) -> Result<(), Refusal> {
    if messages.count == 0 {
        return Err(Refusal::invalid(
            "A conversation must start with a user message. Add at least one message to messages and try again.",
        ));
    }
    if messages.count > MOST_MESSAGES {
        return Err(Refusal::invalid(format!(
            "messages holds {} messages; at most {MOST_MESSAGES} are allowed.",
            messages.count
        )));
    }
    Ok(())
}

/// Refuses roles that are neither.
pub(super) fn check_role(role: &str, index: usize) -> Result<(), Refusal> {
    if matches!(role, "user" | "assistant") {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "The role at messages.{index}.role is {:?}; it must be user or assistant.",
        quoted(role)
    )))
}

/// Refuses a message without content, in Bedrock's words.
pub(super) fn empty(index: usize) -> Refusal {
    Refusal::invalid(format!(
        "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the \
         content field and try again."
    ))
}

/// Refuses a text of nothing but white space, in Bedrock's words.
pub(super) fn blank(index: usize, block: usize) -> Refusal {
    Refusal::invalid(format!(
        "The text field in the ContentBlock object at messages.{index}.content.{block} is blank. Add text to the \
         text field, and try again."
    ))
}

/// Measures the definitions of tools.
pub(super) fn measure_tools(meter: &mut Meter, raw: Option<&RawValue>) {
    if let Some(raw) = raw.filter(|raw| !matches!(raw.get(), "null" | "[]" | "{}")) {
        meter.tools(raw.get());
    }
}

/// Measures a value that the model reads as JSON.
pub(super) fn measure_json(meter: &mut Meter, raw: Option<&RawValue>) {
    if let Some(raw) = raw {
        meter.json(raw.get());
    }
}
