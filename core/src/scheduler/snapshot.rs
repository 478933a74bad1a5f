//! A lane as one holder leaves it to the next.
//!
//! The holder writes it before every release that it covers, so whoever comes next knows of each reservation that may
//! still be claimed. What waits is not in it: that is in the store.

use super::Waiting;
use super::entry::{Entry, Standing};
use super::lane::Scheduler;
use super::span::CallSpan;
use crate::ids::TenantId;
use crate::ledger::LedgerSnapshot;
use crate::ports::LaneMemory;
use crate::request::Priority;
use crate::units::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version that is written. A reader takes this one and the one before.
const VERSION: u32 = 1;

/// What a lane's holder has reserved, charged and learned, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct LaneSnapshot {
    v: u32,
    /// When it was taken, by its holder's clock: for people who read it.
    at: Timestamp,
    #[serde(rename = "l")]
    ledger: LedgerSnapshot,
    #[serde(rename = "m")]
    memory: LaneMemory,
    /// How long calls last, if any has ended.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    span: Option<Millis>,
    /// Whose calls count against a cap: the tenant, and the places of its calls among the ledger's.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    capped: Vec<(TenantId, Vec<usize>)>,
}

/// As it is read, before its version is looked at.
#[derive(Deserialize)]
struct Stored {
    v: u32,
    at: Timestamp,
    #[serde(rename = "l")]
    ledger: LedgerSnapshot,
    #[serde(rename = "m", default)]
    memory: LaneMemory,
    #[serde(rename = "s", default)]
    span: Option<Millis>,
    #[serde(rename = "c", default)]
    capped: Vec<(TenantId, Vec<usize>)>,
}

impl TryFrom<Stored> for LaneSnapshot {
    type Error = String;
    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored {
            v,
            at,
            ledger,
            memory,
            span,
            capped,
        } = stored;
        if v > VERSION || v + 1 < VERSION {
            return Err(format!(
                "a lane's ledger has version {v}, and this smoother reads {VERSION} and the one before: run the \
                 version that wrote it, or the one after"
            ));
        }
        Ok(Self {
            v: VERSION,
            at,
            ledger,
            memory,
            span,
            capped,
        })
    }
}

impl LaneSnapshot {
    /// When it was taken, by the clock of whoever took it.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// How many calls were released or running.
    pub fn under_way(&self) -> usize {
        self.ledger.open().len()
    }
}

impl Scheduler {
    /// What the next holder of the lane has to know at this moment.
    pub fn snapshot(&self, now: Timestamp) -> LaneSnapshot {
        let at = now.max(self.now);
        let ledger = self.ledger.snapshot(at);
        LaneSnapshot {
            v: VERSION,
            at,
            capped: self.capped(&ledger),
            ledger,
            memory: self.memory(),
            span: self.span.measured(),
        }
    }

    fn capped(&self, ledger: &LedgerSnapshot) -> Vec<(TenantId, Vec<usize>)> {
        let mut capped: BTreeMap<TenantId, Vec<usize>> = BTreeMap::new();
        for (place, call) in ledger.open().iter().enumerate() {
            let slot = self
                .table
                .find_stray(call.key)
                .or_else(|| self.table.find(call.key.0));
            let whose = slot.and_then(|slot| {
                let flow = self
                    .table
                    .get(slot)
                    .and_then(|entry| self.shares.flow(entry.flow));
                let here = flow
                    .filter(|flow| flow.terms.most != u32::MAX)
                    .map(|flow| &flow.tenant);
                here.or_else(|| self.shares.elsewhere.whose(slot))
            });
            if let Some(tenant) = whose {
                capped.entry(tenant.clone()).or_default().push(place);
            }
        }
        capped.into_iter().collect()
    }

    /// Another number whenever a snapshot says something new, the passing of time aside.
    pub fn ledger_version(&self) -> u64 {
        self.ledger.version()
    }

    /// Takes up where another holder stopped. Nothing goes yet.
    ///
    /// A release of its that was not claimed, as far as it knew, is looked at in the first step and every few seconds
    /// after that; it stays reserved until its row says that nobody can claim it any more. A call that ran stays until
    /// its end is told or it is written off.
    pub fn resume(&mut self, now: Timestamp, left: &LaneSnapshot) {
        self.now = self.now.max(now);
        self.remember(self.now, &left.memory);
        self.span = left.span.map_or(self.span, CallSpan::known);
        self.ledger
            .resume(self.now, &left.ledger, self.now.since(left.at));
        for (place, call) in left.ledger.open().iter().enumerate() {
            let since = self.now.before(call.age);
            let mut entry = Entry::stray(call.key, call.tokens);
            let look = if call.started {
                self.write_off_at(since)
            } else {
                entry.standing = Standing::Released;
                self.released += 1;
                self.now
            };
            let slot = self.table.insert_stray(entry);
            let whose = left.capped.iter().find(|(_, places)| places.contains(&place));
            if let Some((tenant, _)) = whose {
                self.shares.began_elsewhere(slot, tenant);
            }
            self.set_alarm(slot, look);
        }
    }

    /// Takes in what waits, before anything goes: so that nobody's requests are passed because they were read last.
    /// `more` names whose requests there are more of than these.
    pub fn take_up(&mut self, now: Timestamp, waiting: &[Waiting], more: &[(Priority, TenantId)]) {
        self.now = self.now.max(now);
        for waiting in waiting {
            self.take_in(waiting);
        }
        for (priority, tenant) in more {
            let terms = self.config.terms(tenant);
            let flow = self.shares.intern(*priority, tenant, terms);
            self.shares.join(flow);
            if let Some(it) = self.shares.flow_mut(flow) {
                it.more = true;
            }
            self.shares.part(flow);
        }
    }

    /// Whether anything is known to wait.
    pub fn has_waiting(&self) -> bool {
        self.counts.iter().any(|count| count.requests > 0)
    }

    /// Whether nothing is known to wait or to be under way, and no charge counts any more: another holder would
    /// begin as this one stands.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        !self.has_waiting() && self.ledger.under_way() == 0 && self.ledger.tokens_view(now).used == 0
    }
}
