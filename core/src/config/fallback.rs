//! Where a lane's requests go on.

use super::check;
use super::read::Reader;
use super::settings::Value;
use super::types::FallbackConfig;
use crate::ids::{LaneId, ModelId};

/// The chain of lane `id`, whose table is `name`; `known` are the lanes there are.
pub(super) fn of(reader: &Reader, name: &str, id: &LaneId, known: &[(String, LaneId)]) -> FallbackConfig {
    let text = |key: &str, check: fn(&str) -> bool| reader.text(key, Some(name), check);
    FallbackConfig {
        lanes: lanes(reader, name, id, known),
        degraded_answer: text("lanes.*.degraded_answer", check::degraded_answer).map(|found| found.value),
        standby: reader
            .flag("lanes.*.standby", Some(name))
            .is_some_and(|found| found.value),
        call_model: text("lanes.*.call_model", |text| ModelId::new(text).is_ok())
            .and_then(|found| ModelId::new(&found.value).ok()),
    }
}

fn lanes(reader: &Reader, name: &str, id: &LaneId, known: &[(String, LaneId)]) -> Vec<LaneId> {
    let Some(found) = reader.texts("lanes.*.fallback", Some(name)) else {
        return Vec::new();
    };
    let mut lanes: Vec<LaneId> = Vec::new();
    for text in &found.value {
        let named = known
            .iter()
            .map(|(_, lane)| lane)
            .find(|lane| lane.as_str() == text);
        match named {
            Some(lane) if lane != id && !lanes.contains(lane) => lanes.push(lane.clone()),
            _ => {
                let others = known.iter().map(|(_, lane)| lane).filter(|lane| *lane != id);
                let others: Vec<&str> = others.map(LaneId::as_str).collect();
                let allowed = if others.is_empty() {
                    "the name of another lane, and no other is configured".to_owned()
                } else {
                    format!("each of the other lanes at most once: {}", others.join(", "))
                };
                reader.refuse(&found, &Value::Text(text.clone()).shown(), &allowed);
            }
        }
    }
    lanes
}
