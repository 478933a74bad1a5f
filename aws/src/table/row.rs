//! A request's row ↔ its item.
//!
//! The item holds the request as JSON (`doc`), where its payloads are, what states it has passed, and the keys of the
//! indexes it stands in while it does. Everything but the payloads' places and the past follows from the request, so
//! an item is always written whole.

use super::item::{Item, Reading, Writing};
use super::keys::{self, Place};
use crate::fault::Fault;
use serde::{Deserialize, Serialize};
use smoother_core::config::Config;
use smoother_core::ids::Rev;
use smoother_core::ports::StateEvent;
use smoother_core::scheduler::Waiting;
use smoother_core::{LaneId, Millis, Request, State, Timestamp};
use std::collections::BTreeMap;

/// States kept of a request's past; what is older is forgotten.
const PAST: usize = 200;

/// Marks one write, so that whoever made it knows it again.
pub(crate) type Nonce = String;

/// Where a payload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Held {
    /// In an item beside the row, by the hash of its bytes.
    #[serde(rename = "i")]
    Item(String),
    /// In the bucket, under this key.
    #[serde(rename = "k")]
    Object(String),
}

/// A payload that a row names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    #[serde(flatten)]
    pub(crate) held: Held,
    /// Its length in bytes.
    #[serde(rename = "n")]
    pub(crate) bytes: u64,
}

/// A state that a request has come to, and the write that brought it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Passed(Rev, State, Timestamp, Nonce);

/// What the items of requests depend on besides the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How long what is over is kept.
    pub lifetimes: Lifetimes,
    /// `output_burndown` of each lane, for the price of what waits in it; 1 where none is given.
    pub burndowns: BTreeMap<LaneId, u64>,
}

impl Terms {
    /// Under this configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            lifetimes: Lifetimes::new(config.server.retention),
            burndowns: config
                .lanes
                .iter()
                .map(|(id, lane)| (id.clone(), lane.output_burndown))
                .collect(),
        }
    }

    pub(crate) fn waiting(&self, request: &Request) -> Waiting {
        Waiting::priced(request, self.burndowns.get(&request.lane).copied().unwrap_or(1))
    }
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A row, its body and its calls, from its end: the configuration's retention.
    pub retention: Millis,
    /// The longest a request may be open. Its body and its calls are removed so long, and the retention, after it came
    /// (or after its deadline, if that is later), whatever has become of it; without its body it fails when its turn
    /// comes.
    pub open: Millis,
}

impl Lifetimes {
    /// 14 days to be open, as long as a message may wait in SQS.
    pub const fn new(retention: Millis) -> Self {
        Self {
            retention,
            open: Millis::from_secs(14 * 86_400),
        }
    }

    /// When a row may be removed; `None` while the request is not over.
    pub(crate) fn of_row(&self, request: &Request) -> Option<u64> {
        let ended = request.ended_at.filter(|_| request.state.is_terminal())?;
        Some(seconds(ended + self.retention))
    }

    /// When what belongs to a request may be removed.
    pub(crate) fn of_parts(&self, request: &Request, now: Timestamp) -> u64 {
        let latest = request
            .deadline
            .unwrap_or(Timestamp::EPOCH)
            .max(request.arrived_at)
            .max(now);
        self.of_row(request)
            .unwrap_or_else(|| seconds(latest + self.open + self.retention))
    }
}

fn seconds(at: Timestamp) -> u64 {
    at.as_millis().div_ceil(1_000)
}

/// A request with what its row holds beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) request: Request,
    pub(crate) body: Payload,
    pub(crate) result: Option<Payload>,
    past: Vec<Passed>,
}

impl Row {
    /// The first version of a row.
    pub(crate) fn first(request: Request, body: Payload, nonce: Nonce, now: Timestamp) -> Self {
        let past = vec![Passed(request.rev, request.state, now, nonce)];
        Self {
            request,
            body,
            result: None,
            past,
        }
    }

    /// The version after this one.
    pub(crate) fn then(&self, next: Request, result: Option<Payload>, nonce: Nonce, now: Timestamp) -> Self {
        let mut past = self.past.clone();
        past.push(Passed(next.rev, next.state, now, nonce));
        past.drain(..past.len().saturating_sub(PAST));
        Self {
            request: next,
            body: self.body.clone(),
            result: result.or_else(|| self.result.clone()),
            past,
        }
    }

    /// Whether its version `rev` was made by the write with this mark.
    pub(crate) fn was_made_by(&self, rev: Rev, nonce: &str) -> bool {
        self.past
            .iter()
            .any(|passed| passed.0 == rev && passed.3 == nonce)
    }

    /// The states it has passed, oldest first.
    pub(crate) fn events(&self) -> Vec<StateEvent> {
        let event = |passed: &Passed| StateEvent {
            rev: passed.0,
            state: passed.1,
            at: passed.2,
        };
        self.past.iter().map(event).collect()
    }

    /// The item to be written.
    pub(crate) fn item(&self, terms: &Terms) -> Result<Item, Fault> {
        let request = &self.request;
        let mut item = Writing::new(&keys::row(request.id))
            .json("doc", request)?
            .number("rev", request.rev.get())
            .text("state", request.state.as_str())
            .text("lane", request.lane.as_str())
            .text("tenant", request.tenant.as_str())
            .json("body", &self.body)?
            .json("ev", &self.past)?;
        if let Some(result) = &self.result {
            item = item.json("result", result)?;
        }
        if let Some(ttl) = terms.lifetimes.of_row(request) {
            item = item.number("ttl", ttl);
        }
        for (name, value) in index_keys(request) {
            item = item.text(name, value);
        }
        if waits(request) {
            item = item.json("w", &terms.waiting(request))?;
        }
        Ok(item.done())
    }

    /// The row that an item holds.
    pub(crate) fn read(item: &Item) -> Result<Self, Fault> {
        let reading = Reading::new(item)?;
        let row = Self {
            request: reading.json("doc")?,
            body: reading.json("body")?,
            result: reading.maybe_json("result")?,
            past: reading.json("ev")?,
        };
        if reading.text("pk")? != keys::request(row.request.id)
            || reading.number("rev")? != row.request.rev.get()
        {
            return Err(reading.damaged("doc", "is not that of its key and version"));
        }
        Ok(row)
    }
}

const fn waits(request: &Request) -> bool {
    matches!(request.state, State::Queued)
}

/// The index attributes of a row: in the waiting index while it is QUEUED, or in the due index while it is QUEUED and
/// snoozed; always in the listing; among the dead letters while it is one.
fn index_keys(request: &Request) -> Vec<(&'static str, String)> {
    let id = request.id;
    let arrived = Place::new(request.arrived_at, id).key();
    let shard = keys::shard(id, keys::LISTING_SHARDS);
    let mut found = vec![
        (
            "lpk",
            keys::listing(&request.tenant, keys::day_of(request.arrived_at), shard),
        ),
        ("lsk", arrived.clone()),
    ];
    if waits(request) {
        found.extend(match request.not_before {
            Some(not_before) => [
                ("dpk", keys::due(&request.lane, keys::shard(id, keys::DUE_SHARDS))),
                ("dsk", Place::new(not_before, id).key()),
            ],
            None => {
                let shard = keys::shard(id, keys::WAITING_SHARDS);
                [
                    (
                        "wpk",
                        keys::waiting(&request.lane, request.priority, &request.tenant, shard),
                    ),
                    ("wsk", Place::new(request.due(), id).key()),
                ]
            }
        });
    }
    if request.dead {
        found.push(("xpk", keys::dead(keys::shard(id, keys::DEAD_SHARDS))));
        found.push(("xsk", arrived));
    }
    found
}

#[cfg(test)]
mod tests;
