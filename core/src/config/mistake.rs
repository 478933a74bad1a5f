//! What is wrong with a configuration, and where.

use std::fmt;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A line of the file, from 1.
    File {
        /// The file as the caller named it.
        name: String,
        /// The line of the key.
        line: usize,
    },
    /// An environment variable, by its name.
    Env(String),
    /// Nowhere: the key's own default, or what is missing altogether.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Env(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake: shown as one line, `smoother.toml:7: lanes.sonnet.pacing: found "slow"; allowed: …`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{source_place}: {}{what}", if key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct Mistake {
    source_place: Source,
    key: String,
    what: String,
}

impl Mistake {
    /// A mistake at `place` about `key` (may be empty). Line breaks in `what` become spaces.
    pub(super) fn new(place: &Source, key: impl Into<String>, what: &str) -> Self {
        let one_line = what
            .split(['\n', '\r'])
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>();
        Self {
            source_place: place.clone(),
            key: key.into(),
            what: one_line.join(" "),
        }
    }

    /// Where it is.
    pub const fn place(&self) -> &Source {
        &self.source_place
    }

    /// The key's path, such as `lanes.sonnet.region`; empty where the mistake is not about one key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What was found and what is allowed.
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// Every mistake of a configuration, in the order of the file, then those of the environment; one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    /// `None` where there is no mistake.
    pub(super) fn of(mistakes: Vec<Mistake>) -> Option<Self> {
        (!mistakes.is_empty()).then(|| Self::sorted(mistakes))
    }

    /// These mistakes, of which there is at least one.
    pub(super) fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        mistakes.dedup();
        Self(mistakes)
    }

    /// The mistakes; at least one.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
