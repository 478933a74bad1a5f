//! Text of a request, read without keeping it: its length, its hash, its marks.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::hash;
use crate::mark::{self, Mark};

/// Tokens that an image, video or document counts as, whatever its size.
const MEDIA_TOKENS: u64 = 1_600;
/// Characters of a token.
const CHARS_PER_TOKEN: u64 = 4;

/// A running summary of text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prose {
    chars: u64,
    media: u64,
    pub(super) hash: u64,
    pub(super) mark: Option<Mark>,
}

impl Default for Prose {
    fn default() -> Self {
        Self {
            chars: 0,
            media: 0,
            hash: hash::EMPTY,
            mark: None,
        }
    }
}

impl Prose {
    /// Deterministic and about right: four characters a token, rounded up.
    pub(super) fn tokens(&self) -> u64 {
        self.chars.div_ceil(CHARS_PER_TOKEN) + self.media * MEDIA_TOKENS
    }

    pub(super) fn add_text(&mut self, text: &str) -> Result<(), String> {
        self.chars += text.chars().count() as u64;
        self.hash = hash::fold(self.hash, text.as_bytes());
        mark::read(text, &mut self.mark)
    }

    pub(super) fn add_media(&mut self) {
        self.media += 1;
    }

    /// Takes in what follows; its marks add to and replace those before.
    pub(super) fn append(&mut self, next: Self) {
        self.chars += next.chars;
        self.media += next.media;
        self.hash = hash::fold(self.hash, &next.hash.to_le_bytes());
        match (&mut self.mark, next.mark) {
            (Some(mark), Some(next)) => mark.extend(next),
            (mark @ None, next) => *mark = next,
            (Some(_), None) => {}
        }
    }

    /// JSON that is not read further, such as tool definitions.
    pub(super) fn add_raw(&mut self, json: &str) {
        self.chars += json.len() as u64;
        self.hash = hash::fold(self.hash, json.as_bytes());
    }
}

/// Any JSON value: all its strings and keys are text, a number or a boolean counts as one token.
#[derive(Debug, Default)]
pub(super) struct Any(pub(super) Prose);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut any = Self::default();
        deserializer.deserialize_any(IntoProse(&mut any.0))?;
        Ok(any)
    }
}

/// Adds what it reads to a [`Prose`].
pub(super) struct IntoProse<'p>(pub(super) &'p mut Prose);

impl<'de> de::DeserializeSeed<'de> for IntoProse<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IntoProse<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.add_text(text).map_err(E::custom)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.0.chars += CHARS_PER_TOKEN;
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.visit_bool(true)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_bool(true)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_bool(true)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(IntoProse(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(IntoProse(&mut *self.0))?.is_some() {
            entries.next_value_seed(IntoProse(&mut *self.0))?;
        }
        Ok(())
    }
}
