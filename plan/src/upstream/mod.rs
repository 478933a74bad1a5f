//! The model behind the quota: how long it takes, and what refuses calls.

mod gauge;
mod limiter;

pub(crate) use limiter::Ticket;
pub use limiter::{Limiter, LimiterKind};

use smoother_core::{Millis, RequestsPerMinute, Tokens, TokensPerMinute};

/// How long a call takes: a part that every call takes, and one for each output token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// To the first token.
    pub base: Millis,
    /// For each token of the answer, in milliseconds.
    pub per_token_ms: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            base: Millis::new(300),
            per_token_ms: 8.0,
        }
    }
}

impl Latency {
    /// Of an answer of so many tokens; at least a millisecond.
    pub fn of(&self, output: Tokens) -> Millis {
        let generating = crate::round::whole(self.per_token_ms * output.get() as f64);
        (self.base + Millis::new(generating)).max(Millis::new(1))
    }

    /// Tokens of an answer of `output` that are out after so long.
    pub fn generated(&self, after: Millis, output: Tokens) -> Tokens {
        let generating = after.saturating_sub(self.base).get() as f64;
        if self.per_token_ms <= 0.0 {
            return output;
        }
        Tokens::new(crate::round::whole(generating / self.per_token_ms)).min(output)
    }
}

/// Everything upstream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upstream {
    /// How it counts.
    pub limiter: LimiterKind,
    /// What it admits, where that is not what the lane believes: a wrong quota, or other clients on it.
    pub tokens_per_minute: Option<TokensPerMinute>,
    /// The same for requests.
    pub requests_per_minute: Option<RequestsPerMinute>,
    /// How long a call takes there.
    pub latency: Latency,
    /// To the limiter and back.
    pub round_trip: Millis,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            limiter: LimiterKind::Bucket(Millis::from_secs(10)),
            tokens_per_minute: None,
            requests_per_minute: None,
            latency: Latency::default(),
            round_trip: Millis::new(10),
        }
    }
}
