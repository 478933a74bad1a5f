//! The words of a script.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::object;

/// What the times of a script count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The moment at which it was put in place.
    #[default]
    Script,
    /// The simulator's start.
    Start,
}

/// One span: which calls it covers, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Its name in `/stats` and `/calls`; no two spans of a script share one.
    pub name: String,
    /// Covers calls that arrive from this moment on, in milliseconds.
    #[serde(default)]
    pub from_ms: u64,
    /// Covers calls that arrive before this moment; none: it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Covers only these models, by id without an ARN around it; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Covers only these Regions; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Faults and their shares of the calls; one call is struck by one at most.
    #[serde(default, skip_serializing_if = "Shares::is_empty")]
    pub faults: Shares,
    /// Calls whose first token comes later.
    #[serde(
        default,
        deserialize_with = "object::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub slow_start: Option<Slowing>,
    /// Calls each of whose tokens takes longer.
    #[serde(
        default,
        deserialize_with = "object::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub slow_tokens: Option<Slowing>,
    /// By how much times to the first token and between tokens are multiplied.
    #[serde(
        default,
        deserialize_with = "object::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub latency_factor: Option<Slope<f64>>,
    /// Calls at once of each model in each Region; more are answered "Too many connections" (503).
    #[serde(
        default,
        deserialize_with = "object::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub capacity: Option<Slope<u32>>,
}

/// A delay for a share of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slowing {
    /// Share of the calls, 0 to 1.
    pub share: f64,
    /// The least and the most that is added, in milliseconds; drawn evenly between them.
    pub added_ms: [f64; 2],
}

/// A value that changes evenly from the beginning of its span to the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slope<T> {
    /// At the beginning.
    pub from: T,
    /// At the end.
    pub to: T,
}

/// Faults by name, each with its share of the calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Shares(pub BTreeMap<Fault, f64>);

impl Shares {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfMap)
    }
}

/// Refuses a fault that is named twice: JSON would take the later share and lose the other.
struct OfMap;

impl<'de> Visitor<'de> for OfMap {
    type Value = Shares;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of faults and shares, as in {\"503\": 0.1}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shares, A::Error> {
        let mut shares = BTreeMap::new();
        while let Some((fault, share)) = entries.next_entry::<Fault, f64>()? {
            if shares.insert(fault, share).is_some() {
                return Err(de::Error::custom(format!("the fault {fault} is named twice")));
            }
        }
        Ok(Shares(shares))
    }
}
