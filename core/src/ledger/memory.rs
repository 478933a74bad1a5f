//! What pacing has learned that outlives its process, and its holder.

use super::Ledger;
use super::day::Park;
use super::kinds::Kinds;
use super::others::Share;
use super::spells::Spells;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// Of one lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacingMemory {
    /// Of its tokens a minute.
    #[serde(rename = "t", default)]
    tokens: QuotaMemory,
    /// Of its requests a minute.
    #[serde(rename = "r", default)]
    requests: QuotaMemory,
    /// A refusal for the day keeps the lane back: until when, and when it asks next. The version before did not keep it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    park: Option<(Timestamp, Timestamp)>,
    /// What a refusal for capacity has taught of calls at once: when, and how many ran. The version before did not.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    slots: Option<(Timestamp, u32)>,
}

impl PacingMemory {
    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Of one quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QuotaMemory {
    /// What other clients take, to a whole percent.
    #[serde(rename = "o", default)]
    pub(super) others: Share,
    /// Limiters that do not stand upstream.
    #[serde(rename = "x", default)]
    pub(super) ruled_out: Kinds,
    /// Limiters that probably do not.
    #[serde(rename = "s", default)]
    pub(super) suspended: Kinds,
    /// Limiters that are not left out although that was found for tokens.
    #[serde(rename = "d", default, skip_serializing_if = "Kinds::is_empty")]
    pub(super) doubted: Kinds,
    /// Until when and how often they were suspended. The version before did not keep it.
    #[serde(rename = "su", default, skip_serializing_if = "Spells::are_none")]
    pub(super) suspensions: Spells,
    /// The same of doubts.
    #[serde(rename = "du", default, skip_serializing_if = "Spells::are_none")]
    pub(super) doubts: Spells,
}

impl Ledger {
    /// What pacing has learned, for keeping.
    pub fn memory(&self) -> PacingMemory {
        PacingMemory {
            tokens: self.tokens.memory(self.now),
            requests: self
                .requests
                .as_ref()
                .map(|pace| pace.memory(self.now))
                .unwrap_or_default(),
            park: self.park.kept(self.now),
            slots: self.slots.kept(self.now),
        }
    }

    /// Takes up what an earlier process has learned. It is asked anew soon: nothing is believed for good.
    pub fn remember(&mut self, now: Timestamp, memory: &PacingMemory) {
        let now = self.advance(now);
        self.tokens.remember(now, memory.tokens);
        if let Some(pace) = &mut self.requests {
            pace.remember(now, memory.requests);
        }
        self.park = Park::known(now, memory.park);
        if let Some(slots) = memory.slots {
            self.slots.known(now, slots);
        }
    }
}
