//! What a server that runs would do with another configuration.

use serde_json::{Value, json};
use smoother_core::config::{CannotReload, Config, Difference, differences, reload};
use std::fmt;

/// What differs, and what of it a running server cannot take.
pub(super) struct Check {
    changes: Vec<Difference>,
    refused: Vec<CannotReload>,
}

impl Check {
    pub(super) fn of(running: &Config, next: &Config) -> Self {
        Self {
            changes: differences(running, next),
            refused: reload(running, next).err().unwrap_or_default(),
        }
    }

    /// The report with what this adds to it.
    pub(super) fn json(&self, mut report: Value) -> Value {
        let lines = |items: Vec<String>| json!(items);
        report["changes"] = lines(self.changes.iter().map(ToString::to_string).collect());
        report["reload_refused"] = lines(self.refused.iter().map(ToString::to_string).collect());
        report
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("Nothing would change.");
        }
        f.write_str("Changes:")?;
        for change in &self.changes {
            write!(f, "\n  {change}")?;
        }
        if self.refused.is_empty() {
            return f.write_str("\nSIGHUP takes them.");
        }
        f.write_str("\nSIGHUP is refused:")?;
        for reason in &self.refused {
            write!(f, "\n  {reason}")?;
        }
        Ok(())
    }
}
