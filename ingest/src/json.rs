//! JSON as the doors read it: objects where objects are wanted, and mistakes told in the API's words.
//!
//! serde would take an array for an object by the order of its fields, and speak of Rust's types. A text is read
//! once; only one that is wrong is read again, to find the place.

use crate::refusal::Refusal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::{Path, Segment};
use smoother_core::quoted;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// A value that is written as an object and in no other way.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<T> Deref for Object<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Object<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_map(Fields(PhantomData))
    }
}

/// The text of a body.
pub(crate) fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body)
        .map_err(|e| Refusal::Malformed(format!("the body is not UTF-8 after byte {}", e.valid_up_to())))
}

/// Reads an object.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str::<Object<T>>(text)
        .map(|object| object.0)
        .map_err(|error| Refusal::Malformed(explain::<T>(text, &error)))
}

/// What is wrong with a text that could not be read, without quoting its values.
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> String {
    if text.trim_ascii().is_empty() {
        return "the body is empty; it must be a JSON object".to_owned();
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let whole = error.to_string();
    let what = whole.strip_suffix(&place).unwrap_or(&whole);
    if error.is_data() {
        let mut again = serde_json::Deserializer::from_str(text);
        let at = serde_path_to_error::deserialize::<_, Object<T>>(&mut again)
            .err()
            .map_or_else(String::new, |error| dotted(error.path()));
        return in_api_words(what, &at).chars().take(300).collect();
    }
    let what = if error.is_eof() {
        "it ends before it is complete"
    } else {
        plainly(what)
    };
    format!(
        "the body is not valid JSON: {what} (line {}, column {})",
        error.line(),
        error.column()
    )
}

/// The parser's sentence where it speaks of itself instead of the text.
fn plainly(what: &str) -> &str {
    match what {
        "expected value" => "a value must begin here",
        "expected ident" => "a word that is none of true, false and null",
        other => other,
    }
}

/// `messages.0.content`, as Bedrock writes places; empty for the whole.
fn dotted(path: &Path) -> String {
    let parts: Vec<String> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    parts.join(".")
}

/// serde's sentence about the value at `place`, in words that a caller of the API knows.
fn in_api_words(what: &str, place: &str) -> String {
    let place = if place.is_empty() { "the body" } else { place };
    if let Some((found, wanted)) = what
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return format!("{place} is {}; it must be {}", found_as(found), wanted_as(wanted));
    }
    if let Some((_, wanted)) = what
        .strip_prefix("invalid value: integer ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return format!("{place} is out of range; it must be {}", wanted_as(wanted));
    }
    if let Some(name) = what.strip_prefix("missing field ") {
        return format!("{place} has no {}, which it must have", name.replace('`', ""));
    }
    if let Some((name, known)) = what
        .strip_prefix("unknown field ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        let name = quoted(name.trim_matches('`'));
        return format!("{name} is no field here; known are {}", known.replace('`', ""));
    }
    if let Some(name) = what.strip_prefix("duplicate field ") {
        return format!("{place} has {} twice", name.replace('`', ""));
    }
    format!("{place}: {what}")
}

fn found_as(found: &str) -> &'static str {
    match found.split_whitespace().next() {
        Some("boolean") => "true or false",
        Some("integer" | "floating" | "number") => "a number",
        Some("string" | "character") => "a string",
        Some("sequence") => "an array",
        Some("map") => "an object",
        _ => "null",
    }
}

fn wanted_as(wanted: &str) -> &str {
    match wanted {
        "a sequence" | "an array" => "an array",
        "a map" => "an object",
        "a boolean" => "true or false",
        "a borrowed string" | "a string" | "a character" => "a string",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Order<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        items: Option<Vec<Object<Item<'a>>>>,
        count: Option<u16>,
    }

    #[derive(Deserialize, Debug)]
    struct Item<'a> {
        #[serde(borrow)]
        what: Cow<'a, str>,
    }

    fn said(text: &str) -> String {
        match object::<Order<'_>>(text) {
            Err(Refusal::Malformed(why)) => why,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn objects_are_read_and_borrowed_from() {
        let order: Order<'_> = object(r#"{"name":"x","items":[{"what":"y"}]}"#).unwrap();
        assert!(matches!(order.name, Cow::Borrowed("x")));
        assert_eq!((order.items.unwrap()[0].what.as_ref(), order.count), ("y", None));
    }

    #[test]
    fn mistakes_are_told_by_place_and_in_words_of_json() {
        for (text, why) in [
            ("", "the body is empty; it must be a JSON object"),
            (
                "{",
                "the body is not valid JSON: it ends before it is complete (line 1, column 1)",
            ),
            (
                "{\"name\" 1}",
                "the body is not valid JSON: expected `:` (line 1, column 9)",
            ),
            (
                "hello",
                "the body is not valid JSON: a value must begin here (line 1, column 1)",
            ),
            (
                "{\"name\": nil}",
                "the body is not valid JSON: a word that is none of true, false and null (line 1, column 11)",
            ),
            ("{} {}", "the body has no name, which it must have"),
            ("[\"x\"]", "the body is an array; it must be an object"),
            ("\"secret\"", "the body is a string; it must be an object"),
            ("3", "the body is a number; it must be an object"),
            ("null", "the body is null; it must be an object"),
            (
                r#"{"name":"x","items":[{"what":"y"},["z"]]}"#,
                "items.1 is an array; it must be an object",
            ),
            (
                r#"{"name":"x","items":{}}"#,
                "items is an object; it must be an array",
            ),
            (
                r#"{"name":"x","items":[{"what":true}]}"#,
                "items.0.what is true or false; it must be a string",
            ),
            (
                r#"{"name":"x","items":[{}]}"#,
                "items.0 has no what, which it must have",
            ),
            (
                r#"{"name":"x","colour":1}"#,
                "colour is no field here; known are name, items, count",
            ),
            (r#"{"name":"x","name":"y"}"#, "the body has name twice"),
            (
                r#"{"name":"x","count":"2"}"#,
                "count is a string; it must be a whole number of at least 0",
            ),
            (
                r#"{"name":"x","count":-1}"#,
                "count is out of range; it must be a whole number of at least 0",
            ),
        ] {
            assert_eq!(said(text), why, "{text}");
        }
    }

    #[test]
    fn values_are_never_quoted() {
        for text in ["\"secret\"", r#"{"name":"x","items":"secret"}"#] {
            assert!(!said(text).contains("secret"));
        }
    }
}
