//! The door's metric handles, looked up once.

use crate::refusal::Refusal;
use metrics::{Counter, counter};
use smoother_core::metrics as names;
use smoother_core::{Door, LaneId, Priority, Request};
use std::collections::BTreeMap;

pub(crate) struct Meters(BTreeMap<LaneId, LaneMeters>);

struct LaneMeters {
    /// By priority, then by door.
    accepted: [[Counter; 2]; 3],
    joined: Counter,
}

impl Meters {
    pub(crate) fn new<'a>(lanes: impl Iterator<Item = &'a LaneId>) -> Self {
        let of = |lane: &LaneId| {
            let accepted = |priority: Priority, door: &'static str| {
                counter!(
                    names::REQUESTS_ACCEPTED,
                    "lane" => lane.to_string(), "priority" => priority.as_str(), "door" => door
                )
            };
            LaneMeters {
                accepted: Priority::ALL.map(|p| [accepted(p, "sync"), accepted(p, "job")]),
                joined: counter!(names::REQUESTS_JOINED, "lane" => lane.to_string()),
            }
        };
        Self(lanes.map(|lane| (lane.clone(), of(lane))).collect())
    }

    pub(crate) fn accepted(&self, request: &Request) {
        if let Some(lane) = self.0.get(&request.lane) {
            let door = usize::from(request.door == Door::Job);
            lane.accepted[request.priority.index()][door].increment(1);
        }
    }

    pub(crate) fn joined(&self, request: &Request) {
        if let Some(lane) = self.0.get(&request.lane) {
            lane.joined.increment(1);
        }
    }
}

/// Counts a refusal. Refusals are rare enough to look the counter up.
pub(crate) fn refused(refusal: &Refusal) {
    counter!(names::REQUESTS_REFUSED, "reason" => refusal.reason()).increment(1);
    tracing::debug!(
        reason = refusal.reason(),
        status = refusal.status(),
        "refused at the door"
    );
}
