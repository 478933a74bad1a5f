//! What a scheduler shows of itself.

use super::bounds::Load;
use crate::breaker::BreakerView;
use crate::ids::{LaneId, TenantId};
use crate::request::Priority;
use crate::units::{Millis, Timestamp, TokensPerMinute};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a waiting request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Requests expected to be released before it, plus one.
    pub position: u64,
    /// When it is expected to be released.
    pub start: Timestamp,
    /// Before this it will not be, even if all goes better than it looks.
    pub earliest: Timestamp,
}

/// Where a request of some due time stands in its band's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The due time: its deadline, or what is taken for one.
    pub due: Timestamp,
    /// Requests expected to be released before one that is due then, plus one.
    pub position: u64,
    /// When such a one is expected to be released.
    pub start: Timestamp,
}

/// A lane as its holder writes it down for those who ask elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneReport {
    /// The lane. What waits is what its holder knows of.
    pub view: LaneView,
    /// A few places in each band's line, by priority's word and due time.
    pub lines: BTreeMap<String, Vec<Mark>>,
    /// Nobody goes before, even if all goes better than it looks; absent where nothing keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Timestamp>,
    /// The tenants that are nearest to a bound or have most in line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantReport>,
}

/// What a lane's report says of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantReport {
    /// Which.
    pub id: TenantId,
    /// What waits of it in each band, interactive first.
    pub loads: [Load; 3],
    /// When the first of it is expected to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Its lines by priority's word, where they are among the lane's longest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, TenantLine>,
}

/// A tenant's line in a band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantLine {
    /// Nobody else is in the lane: nothing of the line goes before its turn.
    pub alone: bool,
    /// A few places in it.
    pub marks: Vec<AtBest>,
}

/// When one goes that stands in a tenant's line, if all goes better than it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtBest {
    /// Its due time: its deadline, or what is taken for one.
    pub due: Timestamp,
    /// It does not go before.
    pub earliest: Timestamp,
}

impl Forecast {
    /// The same of one that does not go before `at`.
    #[must_use]
    pub fn not_before(self, at: Timestamp) -> Self {
        Self {
            start: self.start.max(at),
            earliest: self.earliest.max(at),
            ..self
        }
    }
}

impl LaneReport {
    /// About where a request stands that waits in this band and is due then: between the two marks around it.
    pub fn forecast(&self, priority: Priority, due: Timestamp) -> Forecast {
        let marks = self.lines.get(priority.as_str()).map_or(&[][..], Vec::as_slice);
        let after = marks.partition_point(|mark| mark.due < due);
        let Some(next) = marks.get(after).or(marks.last()) else {
            return Forecast {
                position: 1,
                start: self.view.at,
                earliest: self.view.at,
            };
        };
        let before = after
            .checked_sub(1)
            .and_then(|place| marks.get(place))
            .unwrap_or(next);
        let (way, whole) = (due.since(before.due).get(), next.due.since(before.due).get());
        let part = |from: u64, to: u64| {
            let gap = u128::from(to.saturating_sub(from));
            let share = gap * u128::from(way.min(whole)) / u128::from(whole.max(1));
            from.saturating_add(u64::try_from(share).unwrap_or(u64::MAX))
        };
        Forecast {
            position: part(before.position, next.position),
            start: Timestamp::from_millis(part(before.start.as_millis(), next.start.as_millis())),
            // The marks are of all tenants together: one with little before it may go long before.
            earliest: self.view.at,
        }
    }
}

/// One limit of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// The limit itself.
    pub limit: u64,
    /// How much counts against it now.
    pub used: u64,
    /// How much could be admitted at once now.
    pub free: u64,
}

/// What waits in one band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// Requests waiting.
    pub requests: u64,
    /// Tokens they will reserve.
    pub tokens: u64,
    /// How long the oldest has waited, in milliseconds.
    pub oldest_ms: Millis,
    /// More wait than are counted: on AWS a lane's holder reads the first few of each tenant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A lane now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneView {
    /// Which.
    pub lane: LaneId,
    /// When this was true.
    pub at: Timestamp,
    /// How releases are paced.
    pub pacing: String,
    /// Tokens in the last minute.
    pub tokens: LimitView,
    /// Requests in the last minute.
    pub requests: Option<LimitView>,
    /// Tokens today (UTC).
    pub day: Option<LimitView>,
    /// Calls at once.
    pub concurrency: LimitView,
    /// Released, not yet claimed.
    pub released: u64,
    /// Claimed, not yet over.
    pub running: u64,
    /// What waits, by priority's word.
    pub waiting: BTreeMap<String, WaitingView>,
    /// Upstream refusals since start, by cause's word.
    pub throttles: BTreeMap<String, u64>,
    /// No release before this: the daily limit was met, or capacity is short.
    pub parked_until: Option<Timestamp>,
    /// Its tokens of the day are used up.
    pub day_parked: bool,
    /// Its circuit breaker.
    pub breaker: BreakerView,
    /// Retries that could go at once.
    pub retries_left: u64,
    /// How often a retry was put off because there was no budget for it, since start.
    pub retries_put_off: u64,
    /// Requests sent on in their chain without a call, since start.
    pub sent_on: u64,
    /// Requests that made room for others of a higher band, since start.
    #[serde(default)]
    pub shed: u64,
    /// What the lane has learned it can have, where that is less than its quota.
    pub learned_ceiling: Option<TokensPerMinute>,
    /// What other clients of the account are taken to use of its tokens a minute, in percent.
    #[serde(default)]
    pub others_percent: u32,
    /// The limiters that releases are paced for: all that may stand upstream.
    #[serde(default)]
    pub limiters: Vec<String>,
}
