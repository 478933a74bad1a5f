//! Scripts: what goes wrong when, where and how often.
//!
//! A script is a list of spans. A span covers the calls that arrive between two moments, for some models and in some
//! Regions or for all, and says what becomes of them: faults for shares of them, slow starts, slow tokens, a latency
//! that grows or shrinks evenly, a capacity that does. The same scripts are read from files and from `PUT /script`,
//! in TOML or JSON.
//!
//! Where spans overlap they compose:
//! - **faults**: each span draws for itself; of several that strike, the first in the script's order does;
//! - **slow starts and slow tokens** add up; **latency factors** multiply, and multiply what the settings or a mark
//!   say before anything is added;
//! - **capacity**: the smallest counts, beside the quota's own `max_concurrency`.
//!
//! A fault that a prompt's mark asks for comes before the script's, the script's before those of the settings.
//!
//! What strikes is drawn from the seed, the span's place in the script and the number of the call among those that
//! the span covered since the script was put in place. So the same calls in the same order meet the same fate, and
//! what one Region or model sees does not depend on the traffic of another.

mod check;
mod running;
mod slot;
mod span;

pub(crate) use self::running::{Effect, Running};
pub use self::running::{Slow, SpanCounts};
pub(crate) use self::slot::Slot;
pub use self::span::{Shares, Since, Slope, Slowing, Span};

use serde::{Deserialize, Serialize};

use crate::object::{self, Object};

/// A script that holds: every name, share and range was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Content")]
pub struct Script(Content);

/// What a script says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Decides which calls are struck.
    #[serde(default)]
    pub seed: u64,
    /// What the spans' times count from.
    #[serde(default)]
    pub since: Since,
    /// How many milliseconds of the script pass in one of the clock: a test plays an hour in a minute with 60.
    #[serde(default = "real_time")]
    pub speed: f64,
    /// What happens.
    #[serde(deserialize_with = "object::list")]
    pub spans: Vec<Span>,
}

fn real_time() -> f64 {
    1.0
}

/// A script that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not TOML, or not of a script's shape; says in which line.
    #[error("the script cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// Not JSON, or not of a script's shape; says in which line.
    #[error("the script cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither, as it is no text.
    #[error("the script is not UTF-8: {0}")]
    Text(#[from] std::str::Utf8Error),
    /// A value that does not hold.
    #[error("{key} is {found}; it must be {allowed}")]
    Range {
        /// Path of the value, with the span's name.
        key: String,
        /// What was given.
        found: String,
        /// What may be given.
        allowed: &'static str,
    },
}

impl Script {
    /// Reads a script: JSON where it begins with a brace, else TOML.
    ///
    /// # Errors
    /// Names the line, or the key, of the first mistake.
    pub fn read(bytes: &[u8]) -> Result<Self, ScriptError> {
        let text = std::str::from_utf8(bytes)?;
        let content = if text.trim_start().starts_with('{') {
            serde_json::from_str::<Object<Content>>(text)?.0
        } else {
            toml::from_str::<Content>(text)?
        };
        content.try_into()
    }

    /// What it says.
    pub fn content(&self) -> &Content {
        &self.0
    }
}

impl TryFrom<Content> for Script {
    type Error = ScriptError;

    fn try_from(content: Content) -> Result<Self, ScriptError> {
        check::content(&content)?;
        Ok(Self(content))
    }
}

#[cfg(test)]
mod tests;
