//! What is wrong with a trace.

use std::fmt;

/// More are counted, not told.
const TOLD: usize = 20;

/// One mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    file: String,
    line: u64,
    what: String,
}

impl Mistake {
    pub(super) fn new(file: &str, line: u64, what: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what,
        }
    }

    /// The line, from 1.
    pub const fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Everything that is wrong with a trace; at least one mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TraceErrors(Vec<Mistake>);

impl TraceErrors {
    pub(super) const fn of(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }

    /// Every one, in the order of the file.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for TraceErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.0.iter().take(TOLD).map(Mistake::to_string).collect();
        f.write_str(&told.join("\n"))?;
        match self.0.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more mistake(s)"),
        }
    }
}
