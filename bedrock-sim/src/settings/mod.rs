//! Everything that may change while the simulator runs.
//!
//! The same shape is read from a file, printed by `GET /control` and patched by `POST /control`.

mod limits;

pub use self::limits::{LimiterKind, Limits, ModelSettings, Oversize, QuotaSettings, RegionSettings};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::FaultPlan;
use crate::object::{self, Object};
use crate::quota::cost::default_burndown;
use crate::region;

/// How fast the model generates. All zero: no timer stands on a call's path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Milliseconds until the first token.
    pub base_ms: f64,
    /// Milliseconds for each output token.
    pub per_token_ms: f64,
    /// Tokens in one streamed event, after the first event, which carries one.
    pub tokens_per_event: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            base_ms: 0.0,
            per_token_ms: 0.0,
            tokens_per_event: 4,
        }
    }
}

/// All settings of a running simulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Limits of each model.
    #[serde(deserialize_with = "object::one")]
    pub quota: QuotaSettings,
    /// How fast models generate.
    #[serde(deserialize_with = "object::one")]
    pub latency: Latency,
    /// Faults that strike calls at random.
    #[serde(deserialize_with = "object::one")]
    pub faults: FaultPlan,
    /// Share (0 to 1) of the limits per minute that another client takes.
    pub external_load: f64,
    /// How often each output token counts; none: 5 for Claude 3.7 and later, else 1.
    pub output_burndown: Option<u32>,
    /// The most tokens a model generates; reserved by a call that asks for no number.
    pub max_output_tokens: u64,
    /// The longest input a model takes; none means any.
    pub max_input_tokens: Option<u64>,
    /// What is special to single models.
    #[serde(deserialize_with = "object::map")]
    pub models: BTreeMap<String, ModelSettings>,
    /// Whether only the `models` exist; otherwise any id does.
    pub only_known_models: bool,
    /// Whether a stream's head says when its call came (`x-amzn-bedrock-sim-arrival-us`, microseconds since the
    /// epoch): for measuring what lies between. Bedrock sends no such header.
    pub stamp_arrival: bool,
    /// The Region of calls whose signature names none: unsigned ones, and those with a bearer token.
    pub default_region: String,
    /// What is special to single Regions. Every model has a quota of its own in every Region, named here or not.
    #[serde(deserialize_with = "object::map")]
    pub regions: BTreeMap<String, RegionSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quota: QuotaSettings::default(),
            latency: Latency::default(),
            faults: FaultPlan::default(),
            external_load: 0.0,
            output_burndown: None,
            max_output_tokens: 64_000,
            max_input_tokens: None,
            models: BTreeMap::new(),
            only_known_models: false,
            stamp_arrival: false,
            default_region: "us-east-1".to_owned(),
            regions: BTreeMap::new(),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not the shape of [`Settings`].
    #[error("the settings are not valid: {0}")]
    Shape(#[from] serde_json::Error),
    /// A value outside its range.
    #[error("{name} is {found}; it must be {allowed}")]
    Range {
        /// Path of the setting.
        name: &'static str,
        /// What was given.
        found: String,
        /// What may be given.
        allowed: &'static str,
    },
}

impl Settings {
    /// Whether a model of this id exists.
    pub fn knows(&self, model: &str) -> bool {
        !self.only_known_models || self.models.contains_key(model)
    }

    /// The limits of one model in one Region: the Region's for this model, else the Region's, else the model's,
    /// else those for all.
    pub fn quota_of(&self, region: &str, model: &str) -> QuotaSettings {
        let mut quota = self.quota.clone();
        if let Some(own) = self.models.get(model) {
            own.limits().overlay(&mut quota);
        }
        if let Some(region) = self.regions.get(region) {
            region.quota.overlay(&mut quota);
            if let Some(own) = region.models.get(model) {
                own.overlay(&mut quota);
            }
        }
        quota
    }

    /// How often an output token of this model counts.
    pub fn burndown_of(&self, model: &str) -> u32 {
        let own = self.models.get(model).and_then(|own| own.output_burndown);
        own.or(self.output_burndown)
            .unwrap_or_else(|| default_burndown(model))
    }

    /// The most tokens this model generates.
    pub fn max_output_of(&self, model: &str) -> u64 {
        let own = self.models.get(model).and_then(|own| own.max_output_tokens);
        own.unwrap_or(self.max_output_tokens)
    }

    /// These settings with a JSON merge patch (RFC 7396) applied: objects merge, a `null` brings the
    /// default back, anything else replaces.
    ///
    /// # Errors
    /// The patched settings have an unknown key, a wrong type or a value outside its range.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self, SettingsError> {
        let mut merged = serde_json::to_value(self)?;
        merge(&mut merged, patch);
        let Object(settings) = serde_json::from_value::<Object<Self>>(merged)?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks every range.
    ///
    /// # Errors
    /// Names the first setting that is outside its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let at_least_zero = |value: f64| value.is_finite() && value >= 0.0;
        let checks: [(&'static str, f64, bool, &'static str); 5] = [
            (
                "external_load",
                self.external_load,
                (0.0..=1.0).contains(&self.external_load),
                "from 0 to 1",
            ),
            (
                "quota.bucket_seconds",
                self.quota.bucket_seconds,
                self.quota.bucket_seconds > 0.0 && self.quota.bucket_seconds <= 86_400.0,
                "above 0 and at most 86400",
            ),
            (
                "latency.base_ms",
                self.latency.base_ms,
                at_least_zero(self.latency.base_ms),
                "0 or more",
            ),
            (
                "latency.per_token_ms",
                self.latency.per_token_ms,
                at_least_zero(self.latency.per_token_ms),
                "0 or more",
            ),
            (
                "latency.tokens_per_event",
                f64::from(self.latency.tokens_per_event),
                self.latency.tokens_per_event >= 1,
                "1 or more",
            ),
        ];
        for (name, found, allowed_now, allowed) in checks {
            if !allowed_now {
                return Err(SettingsError::Range {
                    name,
                    found: found.to_string(),
                    allowed,
                });
            }
        }
        let regions = self.regions.keys().chain([&self.default_region]);
        for region in regions {
            if !region::is_name(region) {
                return Err(SettingsError::Range {
                    name: "a Region's name",
                    found: format!("{region:?}"),
                    allowed: "small letters, digits and hyphens, as in us-east-1",
                });
            }
        }
        self.faults.check()
    }
}

fn merge(target: &mut serde_json::Value, patch: &serde_json::Value) {
    use serde_json::Value;
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests;
