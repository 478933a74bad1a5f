//! Limits: those of every model, and what differs for single models and Regions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object;

/// How a limit per minute is counted. Bedrock does not publish how it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LimiterKind {
    /// A token bucket that refills evenly.
    #[default]
    Bucket,
    /// A fresh allowance at every whole minute.
    Fixed,
    /// What was charged in the last 60 s.
    Sliding,
}

/// What becomes of a call that reserves more than a limit can ever hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// It is throttled, always.
    #[default]
    Refuse,
    /// It is admitted when nothing else is charged, and leaves a debt.
    WhenFull,
}

/// The quota of each model. Every model id has one of its own, as on Bedrock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaSettings {
    /// Tokens per minute; none means unlimited.
    pub tokens_per_minute: Option<u64>,
    /// Requests per minute; none means unlimited.
    pub requests_per_minute: Option<u64>,
    /// Tokens per day; none means unlimited.
    pub tokens_per_day: Option<u64>,
    /// Calls at once; none means unlimited.
    pub max_concurrency: Option<u32>,
    /// How the limits per minute are counted.
    pub limiter: LimiterKind,
    /// Capacity of the bucket, in seconds of its refill.
    pub bucket_seconds: f64,
    /// How far into its window the fixed limiter is when the simulator starts.
    pub window_phase_ms: u64,
    /// How far into its day the daily limit is when the simulator starts.
    pub day_phase_ms: u64,
    /// Calls larger than a limit can ever hold.
    pub oversize: Oversize,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self {
            tokens_per_minute: None,
            requests_per_minute: None,
            tokens_per_day: None,
            max_concurrency: None,
            limiter: LimiterKind::default(),
            bucket_seconds: 10.0,
            window_phase_ms: 0,
            day_phase_ms: 0,
            oversize: Oversize::default(),
        }
    }
}

/// What differs for one model from the settings for all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Its tokens per minute.
    pub tokens_per_minute: Option<u64>,
    /// Its requests per minute.
    pub requests_per_minute: Option<u64>,
    /// Its tokens per day.
    pub tokens_per_day: Option<u64>,
    /// Its calls at once.
    pub max_concurrency: Option<u32>,
    /// How often each output token counts.
    pub output_burndown: Option<u32>,
    /// The most tokens it generates.
    pub max_output_tokens: Option<u64>,
}

impl ModelSettings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            tokens_per_minute: self.tokens_per_minute,
            requests_per_minute: self.requests_per_minute,
            tokens_per_day: self.tokens_per_day,
            max_concurrency: self.max_concurrency,
        }
    }
}

/// Limits that replace those for all, each where it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Tokens per minute.
    pub tokens_per_minute: Option<u64>,
    /// Requests per minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens per day.
    pub tokens_per_day: Option<u64>,
    /// Calls at once.
    pub max_concurrency: Option<u32>,
}

impl Limits {
    pub(super) fn overlay(self, quota: &mut QuotaSettings) {
        quota.tokens_per_minute = self.tokens_per_minute.or(quota.tokens_per_minute);
        quota.requests_per_minute = self.requests_per_minute.or(quota.requests_per_minute);
        quota.tokens_per_day = self.tokens_per_day.or(quota.tokens_per_day);
        quota.max_concurrency = self.max_concurrency.or(quota.max_concurrency);
    }
}

/// What differs in one Region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionSettings {
    /// Limits there of each model.
    #[serde(deserialize_with = "object::one")]
    pub quota: Limits,
    /// Limits there of single models.
    #[serde(deserialize_with = "object::map")]
    pub models: BTreeMap<String, Limits>,
}
