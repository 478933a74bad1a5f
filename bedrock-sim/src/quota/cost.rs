//! What one call costs in quota, as AWS documents it for Bedrock
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html>).

use serde::{Deserialize, Serialize};

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that no cache served.
    pub input: u64,
    /// Input tokens read from the prompt cache.
    pub cache_read: u64,
    /// Input tokens written to the prompt cache.
    pub cache_write: u64,
    /// Output tokens generated.
    pub output: u64,
}

impl Usage {
    /// Charged at admission: every input token, cached or not, and all that may be generated.
    pub fn reservation(self, max_tokens: u64) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(max_tokens)
    }

    /// Charged in the end: cache reads are free and output counts `burndown` times.
    pub fn settlement(self, burndown: u32) -> u64 {
        let output = self.output.saturating_mul(u64::from(burndown));
        self.input.saturating_add(self.cache_write).saturating_add(output)
    }

    /// Input and output together, cached or not.
    pub fn total(self) -> u64 {
        self.reservation(self.output)
    }
}

/// The burndown rate that AWS publishes: 5 for Claude 3.7 and later, 1 for everything else.
pub fn default_burndown(model: &str) -> u32 {
    const ONE: [&str; 6] = [
        "claude-v",
        "claude-instant",
        "claude-3-haiku",
        "claude-3-sonnet",
        "claude-3-opus",
        "claude-3-5",
    ];
    let burns = model.contains("claude") && !ONE.iter().any(|old| model.contains(old));
    if burns { 5 } else { 1 }
}
