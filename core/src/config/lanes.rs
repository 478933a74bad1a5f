//! The lanes of a configuration.

use super::build::named;
use super::check;
use super::models::{burndown_of, max_output_of};
use super::read::{Found, Reader};
use super::settings::{Value, dotted};
use super::types::{LaneConfig, Pacing};
use crate::ids::{LaneId, ModelId};
use crate::units::{Millis, RequestsPerMinute, TokensPerDay, TokensPerMinute};
use std::collections::BTreeMap;

/// Every lane, and what holds between them.
pub(super) fn all(reader: &Reader) -> BTreeMap<LaneId, LaneConfig> {
    let mut lanes = BTreeMap::new();
    // Which lane a model was first seen in.
    let mut owners: BTreeMap<ModelId, LaneId> = BTreeMap::new();
    for (name, id) in named(reader, "lanes", LaneId::new) {
        let models = models(reader, &name);
        if let Some(found) = &models {
            one_lane_each(reader, &id, found, &mut owners);
        }
        let models = models.map(|found| found.value).unwrap_or_default();
        lanes.insert(id.clone(), lane(reader, &name, id, models));
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
        models,
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
        "eager" => {
            let allowed = "\"auto\", \"window\" or \"bucket\"; eager is not available yet, and auto is the safe \
                           choice: it stays within every known limiter";
            reader.refuse(&found, "\"eager\"", allowed);
            Pacing::Auto
        }
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

/// A model's calls can be charged to one quota only.
fn one_lane_each(
    reader: &Reader,
    id: &LaneId,
    found: &Found<Vec<ModelId>>,
    owners: &mut BTreeMap<ModelId, LaneId>,
) {
    for model in &found.value {
        if let Some(owner) = owners.insert(model.clone(), id.clone()) {
            let shown = Value::Text(model.as_str().to_owned()).shown();
            let allowed = if owner == *id {
                "each model once in a lane".to_owned()
            } else {
                format!("each model in one lane only, and both {owner} and {id} name this one")
            };
            reader.refuse(found, &shown, &allowed);
        }
    }
}
