//! Attributes in and out of an item, with errors that say which item does not read.

use super::keys::Key;
use crate::fault::Fault;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// An item as DynamoDB holds it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The version in which items are written. Readers take this one and the one before.
pub(crate) const VERSION: u64 = 1;

/// An item being written.
pub(crate) struct Writing(Item);

impl Writing {
    /// With its key and version.
    pub(crate) fn new(key: &Key) -> Self {
        let mut item = Item::new();
        item.insert("pk".to_owned(), AttributeValue::S(key.pk.clone()));
        item.insert("sk".to_owned(), AttributeValue::S(key.sk.clone()));
        item.insert("v".to_owned(), AttributeValue::N(VERSION.to_string()));
        Self(item)
    }

    pub(crate) fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.0
            .insert(name.to_owned(), AttributeValue::N(value.to_string()));
        self
    }

    pub(crate) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        let blob = aws_sdk_dynamodb::primitives::Blob::new(value);
        self.0.insert(name.to_owned(), AttributeValue::B(blob));
        self
    }

    /// As JSON text.
    pub(crate) fn json(self, name: &str, value: &impl Serialize) -> Result<Self, Fault> {
        let text = json(name, value)?;
        Ok(self.text(name, text))
    }

    pub(crate) fn done(self) -> Item {
        self.0
    }
}

/// A value as JSON text.
pub(crate) fn json(name: &str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Lasting(format!("{name} cannot be written: {error}")))
}

/// Reads an item; knows which one, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(&'a Item);

impl<'a> Reading<'a> {
    /// An item of a version that is known here.
    pub(crate) fn new(item: &'a Item) -> Result<Self, Fault> {
        let reading = Self(item);
        let found = reading.number("v")?;
        if found > VERSION {
            return Err(Fault::Lasting(format!(
                "item {} was written in version {found}, and this smoother reads up to {VERSION}; deploy the one \
                 that wrote it, or a later one",
                reading.name()
            )));
        }
        if found + 1 < VERSION {
            return Err(Fault::Lasting(format!(
                "item {} was written in version {found}, and this smoother reads from {}; deploy an earlier one first",
                reading.name(),
                VERSION - 1
            )));
        }
        Ok(reading)
    }

    fn name(&self) -> String {
        let part = |name| match self.0.get(name) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "?",
        };
        format!("{} {}", part("pk"), part("sk"))
    }

    /// Says that this attribute is not as it must be.
    pub(crate) fn damaged(&self, name: &str, why: impl std::fmt::Display) -> Fault {
        Fault::Damaged(format!("item {}: {name} {why}", self.name()))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Fault> {
        match self.0.get(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            Some(_) => Err(self.damaged(name, "is no text")),
            None => Err(self.damaged(name, "is missing")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Fault> {
        match self.0.get(name) {
            Some(AttributeValue::N(text)) => {
                text.parse().map_err(|_| self.damaged(name, "is no whole number"))
            }
            Some(_) => Err(self.damaged(name, "is no number")),
            None => Err(self.damaged(name, "is missing")),
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<&'a [u8], Fault> {
        match self.0.get(name) {
            Some(AttributeValue::B(blob)) => Ok(blob.as_ref()),
            Some(_) => Err(self.damaged(name, "is not binary")),
            None => Err(self.damaged(name, "is missing")),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Fault> {
        // What serde says may quote the value, which may be somebody's text: only the place is told.
        serde_json::from_str(self.text(name)?).map_err(|error| {
            let place = format!("does not read (line {}, column {})", error.line(), error.column());
            self.damaged(name, place)
        })
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        if self.has(name) {
            self.json(name).map(Some)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(version: u64) -> Item {
        let mut item = Writing::new(&Key::new("R#1", "ROW"))
            .text("doc", "{\"secret\": 1")
            .done();
        item.insert("v".to_owned(), AttributeValue::N(version.to_string()));
        item
    }

    #[test]
    fn the_version_before_is_read_and_a_later_one_is_left_alone() {
        for known in [VERSION - 1, VERSION] {
            assert!(Reading::new(&item(known)).is_ok());
        }
        let later = item(VERSION + 1);
        let Err(Fault::Lasting(why)) = Reading::new(&later) else {
            panic!("a later version is not damage");
        };
        assert!(why.contains("R#1 ROW") && why.contains("deploy"), "{why}");
    }

    #[test]
    fn what_does_not_read_is_named_and_not_quoted() {
        let item = item(VERSION);
        let reading = Reading::new(&item).unwrap();
        let Err(Fault::Damaged(why)) = reading.json::<u64>("doc") else {
            panic!("it is damaged");
        };
        assert!(why.contains("R#1 ROW: doc") && !why.contains("secret"), "{why}");
        for fault in [
            reading.number("doc").err(),
            reading.bytes("none").err(),
            reading.text("v").err(),
        ] {
            assert!(matches!(fault, Some(Fault::Damaged(_))), "{fault:?}");
        }
    }
}
