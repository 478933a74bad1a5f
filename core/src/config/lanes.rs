//! The lanes of a configuration.

use super::build::named;
use super::check;
use super::fallback;
use super::models::{burndown_of, max_output_of};
use super::read::{Found, Reader};
use super::settings::{Value, dotted};
use super::types::{FallbackConfig, LaneConfig, Pacing};
use crate::breaker::BreakerConfig;
use crate::ids::{LaneId, ModelId};
use crate::units::{Millis, RequestsPerMinute, TokensPerDay, TokensPerMinute};
use std::collections::BTreeMap;

/// Every lane, and what holds between them.
pub(super) fn all(reader: &Reader) -> BTreeMap<LaneId, LaneConfig> {
    let mut lanes = BTreeMap::new();
    let mut owners = Owners::new();
    let names = named(reader, "lanes", LaneId::new);
    for (name, id) in &names {
        let found = models(reader, name);
        let models = found
            .as_ref()
            .map(|found| found.value.clone())
            .unwrap_or_default();
        let mut lane = lane(reader, name, id.clone(), models);
        lane.fallback = fallback::of(reader, name, id, &names);
        if let Some(found) = &found {
            one_quota_each(reader, &lane, found, &mut owners);
        }
        lanes.insert(id.clone(), lane);
    }
    lanes
}

fn lane(reader: &Reader, name: &str, id: LaneId, models: Vec<ModelId>) -> LaneConfig {
    let name = Some(name);
    let number = |key: &str| reader.number(key, name);
    let millis = |key: &str| Millis::new(number(key).unwrap_or(1));
    let text = |key: &str, check: fn(&str) -> bool| reader.text(key, name, check).map(|found| found.value);
    // Of several models the most careful number counts.
    let by_model = |of: fn(&ModelId) -> u64| models.iter().map(of).max().unwrap_or(1);
    LaneConfig {
        id,
        region: text("lanes.*.region", check::region).unwrap_or_default(),
        endpoint: text("lanes.*.endpoint", check::endpoint),
        role_arn: text("lanes.*.role_arn", check::role_arn),
        tokens_per_minute: TokensPerMinute::new(number("lanes.*.tokens_per_minute").unwrap_or(1)),
        requests_per_minute: number("lanes.*.requests_per_minute").map(RequestsPerMinute::new),
        tokens_per_day: number("lanes.*.tokens_per_day").map(TokensPerDay::new),
        max_concurrency: reader.small("lanes.*.max_concurrency", name).unwrap_or(1),
        output_burndown: number("lanes.*.output_burndown").unwrap_or_else(|| by_model(burndown_of)),
        max_output_tokens: number("lanes.*.max_output_tokens").unwrap_or_else(|| by_model(max_output_of)),
        pacing: pacing(reader, name),
        chunk_timeout: millis("lanes.*.chunk_timeout_ms"),
        call_timeout: millis("lanes.*.call_timeout_ms"),
        max_tries: reader.small("lanes.*.max_tries", name).unwrap_or(1),
        fallback: FallbackConfig::default(),
        breaker: breaker(reader, name),
        models,
    }
}

fn breaker(reader: &Reader, name: Option<&str>) -> BreakerConfig {
    let millis = |key: &str| Millis::new(reader.number(key, name).unwrap_or(1));
    let small = |key: &str| reader.small(key, name).unwrap_or(1);
    BreakerConfig {
        window: millis("lanes.*.breaker_window_ms"),
        least_calls: small("lanes.*.breaker_min_calls"),
        failure_percent: small("lanes.*.breaker_failure_percent"),
        slow_percent: small("lanes.*.breaker_slow_percent"),
        slow_call: millis("lanes.*.breaker_slow_call_ms"),
        open_for: millis("lanes.*.breaker_open_ms"),
        probes: small("lanes.*.breaker_probes"),
    }
}

fn pacing(reader: &Reader, name: Option<&str>) -> Pacing {
    let seconds = reader.number("lanes.*.bucket_seconds", name).unwrap_or(1);
    let is_known = |text: &str| matches!(text, "auto" | "window" | "bucket" | "eager");
    let Some(found) = reader.text("lanes.*.pacing", name, is_known) else {
        return Pacing::Auto;
    };
    match found.value.as_str() {
        "window" => Pacing::Window,
        "bucket" => Pacing::Bucket { seconds },
        "eager" => Pacing::Eager,
        _ => Pacing::Auto,
    }
}

/// `models`, or `model` as a list of one.
fn models(reader: &Reader, name: &str) -> Option<Found<Vec<ModelId>>> {
    let (many, many_set) = (
        reader.texts("lanes.*.models", Some(name)),
        reader.is_set("lanes.*.models", name),
    );
    let (one, one_set) = (
        reader.text("lanes.*.model", Some(name), |_| true),
        reader.is_set("lanes.*.model", name),
    );
    match (many, one) {
        (Some(_), Some(one)) => {
            reader.refuse(
                &one,
                &format!("{:?}", one.value),
                "only one of `model` and `models`",
            );
            None
        }
        (Some(many), None) => parsed(reader, many),
        (None, Some(one)) => {
            let value = vec![one.value.clone()];
            parsed(reader, one.with(value))
        }
        (None, None) => {
            if !many_set && !one_set {
                reader.report_missing("lanes.*.models", name);
            }
            None
        }
    }
}

fn parsed(reader: &Reader, found: Found<Vec<String>>) -> Option<Found<Vec<ModelId>>> {
    let mut ids = Vec::new();
    for text in &found.value {
        match ModelId::new(text) {
            Ok(id) => ids.push(id),
            Err(error) => reader.report(&found.source, dotted(&found.path), &error.to_string()),
        }
    }
    (ids.len() == found.value.len()).then(|| found.with(ids))
}

/// Whose quota a model's calls at this Region, endpoint and role are charged to.
type Owners = BTreeMap<(ModelId, String, Option<String>, Option<String>), LaneId>;

/// One quota is one lane's: counted in two it would be spent twice.
fn one_quota_each(reader: &Reader, lane: &LaneConfig, found: &Found<Vec<ModelId>>, owners: &mut Owners) {
    for model in &found.value {
        let quota = (
            model.clone(),
            lane.region.clone(),
            lane.endpoint.clone(),
            lane.role_arn.clone(),
        );
        if let Some(owner) = owners.insert(quota, lane.id.clone()) {
            let shown = Value::Text(model.as_str().to_owned()).shown();
            let allowed = if owner == lane.id {
                "each model once in a lane".to_owned()
            } else {
                format!(
                    "each quota in one lane only, and {owner} and {} both name this model at one Region, endpoint \
                     and role",
                    lane.id
                )
            };
            reader.refuse(found, &shown, &allowed);
        }
    }
}
