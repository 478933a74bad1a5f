//! Lanes and models as the server shows them.

use super::error::ClientError;
use super::http::Client;
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// One limit of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Limit {
    /// The limit itself.
    pub limit: u64,
    /// How much counts against it now.
    pub used: u64,
    /// How much could be admitted at once now.
    pub free: u64,
}

/// What waits in one band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// Requests waiting.
    pub requests: u64,
    /// How long the oldest has waited.
    pub oldest_ms: u64,
    /// More wait than are counted.
    pub more: bool,
}

/// One lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Lane {
    /// Its name.
    pub lane: String,
    /// Tokens of the minute.
    pub tokens: Limit,
    /// Requests of the minute.
    #[serde(default)]
    pub requests: Option<Limit>,
    /// Tokens of the day.
    #[serde(default)]
    pub day: Option<Limit>,
    /// Calls at once.
    pub concurrency: Limit,
    /// Calls under way.
    pub running: u64,
    /// What waits, by priority.
    #[serde(default)]
    pub waiting: BTreeMap<String, Waiting>,
    /// Upstream refusals, by cause.
    #[serde(default)]
    pub throttles: BTreeMap<String, u64>,
    /// No release before this.
    #[serde(default)]
    pub parked_until: Option<String>,
    /// Its circuit breaker.
    #[serde(default)]
    pub breaker: Breaker,
    /// Requests that went on in another lane, or were answered degraded, without a call.
    #[serde(default)]
    pub sent_on: u64,
    /// The lanes its requests go on in.
    #[serde(default)]
    pub fallback: Vec<String>,
}

/// A lane's circuit breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Breaker {
    /// `closed`, `half_open` or `open`.
    pub state: String,
    /// Whether somebody holds it.
    pub by_hand: bool,
}

impl Breaker {
    /// Whether calls do not simply go.
    pub fn is_shut(&self) -> bool {
        !matches!(self.state.as_str(), "closed" | "")
    }

    /// `open by hand`, `half-open` …
    pub fn words(&self) -> String {
        let state = match self.state.as_str() {
            "" => "-",
            "half_open" => "half-open",
            state => state,
        };
        let by_hand = if self.by_hand { " by hand" } else { "" };
        format!("{state}{by_hand}")
    }
}

#[derive(Debug, Deserialize)]
struct Lanes {
    lanes: Vec<Lane>,
}

impl Client {
    /// Every lane or the one named, typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn lanes(&self, only: Option<&str>) -> Result<(Vec<Lane>, Bytes), ClientError> {
        let path = only.map_or_else(|| "v1/lanes".to_owned(), |lane| format!("v1/lanes/{lane}"));
        let answer = self
            .send(self.request(Method::GET, &path), Duration::ZERO)
            .await?;
        let lanes = match only {
            Some(_) => vec![self.read::<Lane>(&answer)?],
            None => self.read::<Lanes>(&answer)?.lanes,
        };
        Ok((lanes, answer.body))
    }
}
