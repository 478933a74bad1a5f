//! JSON objects that must be objects: serde's derive reads a struct from an array of its fields as well,
//! and Bedrock does not.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A struct read from an object, and from nothing else.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) T);

/// An object, whatever it says.
pub(crate) type AnyObject = Object<Anything>;

/// Fields that are not looked at.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Anything {}

impl<T> std::ops::Deref for Object<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfMap(PhantomData)).map(Self)
    }
}

struct OfMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

/// For `#[serde(deserialize_with)]`: a field that must be an object.
pub(crate) fn one<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|object| object.0)
}

/// The same, for a field that may be absent.
pub(crate) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::<Object<T>>::deserialize(deserializer).map(|object| object.map(|object| object.0))
}

/// The same, for a list of objects.
pub(crate) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|object| object.0).collect())
}

/// The same, for objects by name.
pub(crate) fn map<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<std::collections::BTreeMap<String, T>, D::Error> {
    let objects = std::collections::BTreeMap::<String, Object<T>>::deserialize(deserializer)?;
    Ok(objects
        .into_iter()
        .map(|(name, object)| (name, object.0))
        .collect())
}

/// A list in which every element must be an object, none of them looked at.
pub(crate) fn is_list_of_objects(json: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Vec<AnyObject>>(json).map(|_| ())
}
