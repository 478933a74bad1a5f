//! A synthetic mix: streams of requests by their rates and sizes, drawn from a seed.
//!
//! ```toml
//! minutes = 10                            # how long requests come
//!
//! [[streams]]
//! priority = "interactive"
//! per_minute = 53                         # Poisson arrivals; or arrivals = "even"
//! input = { from = 100, to = 200 }        # a number, { from, to }, { mean } or { p50, p99 }
//! output = { mean = 60 }
//! max_tokens = 256
//! timeout = "30s"
//!
//! [[streams]]
//! tenant = "reports"                      # with tenants = 3: reports-1 to reports-3, each as often
//! priority = "batch"
//! burst = 200                             # so many at once, evenly drawn
//! within = "30s"
//! every = "5min"                          # again and again; without it once
//! input = { p50 = 1000, p99 = 4000 }
//! output = { mean = 300 }
//! ```

mod draw;
mod size;

pub use size::Size;

use crate::workload::Row;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;
use smoother_core::{Millis, Priority, TenantId, Tokens};

/// More would be a slip, and would fill the memory.
const MOST_REQUESTS: f64 = 5_000_000.0;

/// What is wrong with a mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// It cannot be read; where and why.
    #[error("{name}: {what}")]
    Unread {
        /// The file, or the flag.
        name: String,
        /// Where and why.
        what: String,
    },
    /// A stream that cannot be drawn.
    #[error("stream {number}: {what}")]
    Stream {
        /// Which, from 1.
        number: usize,
        /// Why, and what is allowed.
        what: String,
    },
    /// It draws nothing.
    #[error("the mix draws no request: give it a stream, a higher rate or more time")]
    Nothing,
    /// It would draw too much.
    #[error("the mix draws about {0} requests; at most 5,000,000 are planned at once")]
    TooMany(u64),
}

/// Streams of requests over some time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// How long requests come, in minutes.
    #[serde(default = "ten")]
    pub minutes: f64,
    /// Who sends them.
    #[serde(default)]
    pub streams: Vec<Stream>,
}

const fn ten() -> f64 {
    10.0
}

/// How requests of a rate come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Each by itself: gaps are exponential.
    #[default]
    Poisson,
    /// With equal gaps.
    Even,
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Whose they are.
    pub tenant: Option<TenantId>,
    /// Shared out evenly over so many tenants, named after `tenant`.
    pub tenants: Option<u32>,
    /// Their band.
    pub priority: Option<Priority>,
    /// Requests a minute; this or `burst`.
    pub per_minute: Option<f64>,
    /// How requests of a rate come.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Requests of a burst; this or `per_minute`.
    pub burst: Option<u32>,
    /// The time over which a burst's arrivals are drawn.
    #[serde(default, deserialize_with = "crate::span::from_text")]
    pub within: Option<Millis>,
    /// The burst comes again after so long.
    #[serde(default, deserialize_with = "crate::span::from_text")]
    pub every: Option<Millis>,
    /// They begin so long after the beginning.
    #[serde(default, deserialize_with = "crate::span::from_text")]
    pub after: Option<Millis>,
    /// Input tokens.
    pub input: Size,
    /// Output tokens.
    pub output: Size,
    /// What their callers set.
    pub max_tokens: Option<u32>,
    /// They have to be completed so long after they come.
    #[serde(default, deserialize_with = "crate::span::from_text")]
    pub timeout: Option<Millis>,
}

impl Mix {
    /// Out of a TOML file; `name` is for messages.
    ///
    /// # Errors
    /// Where it is wrong, and why.
    pub fn parse(name: &str, text: &str) -> Result<Self, MixError> {
        toml::from_str(text).map_err(|error| MixError::Unread {
            name: name.to_owned(),
            what: error.to_string().trim_end().to_owned(),
        })
    }

    /// One stream as it is typed: the keys of a `[[streams]]` table with commas between, such as
    /// `priority="batch", per_minute=60, input=1000, output={mean=300}`.
    ///
    /// # Errors
    /// Where it is wrong, and why.
    pub fn parse_stream(text: &str) -> Result<Stream, MixError> {
        #[derive(Deserialize)]
        struct One {
            stream: Stream,
        }
        let line = format!("stream = {{ {text} }}");
        let one: One = toml::from_str(&line).map_err(|error| MixError::Unread {
            name: "--stream".to_owned(),
            what: error.message().to_owned(),
        })?;
        Ok(one.stream)
    }

    /// The rows that `seed` draws, in order of their streams.
    ///
    /// # Errors
    /// A stream that cannot be drawn, and a mix of nothing or too much.
    pub fn rows(&self, seed: u64) -> Result<Vec<Row>, MixError> {
        let minutes = if self.minutes.is_finite() {
            self.minutes.clamp(0.0, 1e6)
        } else {
            0.0
        };
        let mut expected = 0.0;
        for (place, stream) in self.streams.iter().enumerate() {
            stream.check().map_err(|what| MixError::Stream {
                number: place + 1,
                what,
            })?;
            expected += stream.expected(minutes);
        }
        if expected > MOST_REQUESTS {
            return Err(MixError::TooMany(crate::round::whole(expected)));
        }
        let mut dice = StdRng::seed_from_u64(seed);
        let mut rows = Vec::new();
        for (place, stream) in self.streams.iter().enumerate() {
            let drawn = stream.draw(minutes, &mut dice, &mut rows);
            drawn.map_err(|what| MixError::Stream {
                number: place + 1,
                what,
            })?;
        }
        if rows.is_empty() {
            Err(MixError::Nothing)
        } else {
            Ok(rows)
        }
    }
}

impl Stream {
    fn check(&self) -> Result<(), String> {
        match (self.per_minute, self.burst) {
            (Some(_), Some(_)) => return Err("per_minute and burst exclude each other".to_owned()),
            (None, None) => return Err("it needs per_minute or burst".to_owned()),
            (Some(rate), None) if !(rate > 0.0 && rate <= 1e7) => {
                return Err("per_minute is a number above 0, at most 10,000,000".to_owned());
            }
            (Some(_), None) if self.within.is_some() || self.every.is_some() => {
                return Err("within and every are a burst's".to_owned());
            }
            _ => {}
        }
        if self.every == Some(Millis::ZERO) {
            return Err("every is at least 1ms".to_owned());
        }
        if self.max_tokens == Some(0) {
            return Err("max_tokens is at least 1".to_owned());
        }
        self.input.check("input")?;
        self.output.check("output")
    }

    fn expected(&self, minutes: f64) -> f64 {
        let bursts = self
            .every
            .map_or(1.0, |every| (minutes * 60_000.0 / every.get() as f64).ceil());
        self.per_minute
            .map_or(bursts * f64::from(self.burst.unwrap_or(0)), |rate| rate * minutes)
    }

    fn max_tokens(&self) -> Option<Tokens> {
        self.max_tokens.map(|most| Tokens::new(u64::from(most)))
    }
}

#[cfg(test)]
mod tests;
