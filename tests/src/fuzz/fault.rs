//! What a target is, and what it can say of an input.

use std::fmt;

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::Serialize;
use smoother_core::ports::BoxFuture;

/// Which property an input breaks. Shrinking keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something panicked.
    Panic,
    /// It was not over within the time that any input may take.
    Hang,
    /// It took more memory than any input may.
    Memory,
    /// The caller was told that the server had failed.
    ServerError,
    /// A refusal is not of the documented shape.
    Shape,
    /// A message speaks of the program, not of the API.
    Words,
    /// A message repeats more of the input than a quotation may.
    Echo,
    /// What was accepted does not read back, or did not go on as it came.
    Lost,
    /// A wrong answer was given as a right one.
    Wrong,
}

/// A property that does not hold for an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub kind: Kind,
    /// In what way.
    pub what: String,
}

impl Fault {
    /// A fault, its words cut to what fits a report.
    pub fn new(kind: Kind, what: impl fmt::Display) -> Self {
        let what = what.to_string();
        Self {
            kind,
            what: what.chars().take(600).collect(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// What became of an input that breaks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Accepted,
    /// It was refused, and told why.
    Refused,
    /// It is none that could arrive there, such as a method with a space in it.
    Skipped,
}

/// A place of the house that takes bytes.
pub trait Target: Send + Sync {
    /// Its name, and that of its folder of the corpus.
    fn name(&self) -> &'static str;

    /// Changes an input; `other` is another one, to take pieces from.
    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]);

    /// Feeds it, and judges.
    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>>;
}
