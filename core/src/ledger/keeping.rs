//! How the ledgers of a quota outlive their settings, their holder and their process.

use super::doubts::Doubts;
use super::kinds::Kinds;
use super::margins::Margins;
use super::memory::QuotaMemory;
use super::others::Others;
use super::pace::Pace;
use super::suspects::Suspects;
use crate::config::Pacing;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// What is left of the ledgers of one quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PaceSnapshot {
    /// What each bucket holds, in its own parts.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<i64>,
    /// Charges by the wall clock's minute.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    minutes: Option<[(u64, u64); 3]>,
    /// Charges of the last minute by whole seconds of age, the last second first; without those of calls that run.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    seconds: Vec<u64>,
}

impl Pace {
    /// Takes another quota or pacing; what was charged stays charged.
    pub(super) fn reconfigure(&mut self, quota: u64, pacing: Pacing, margins: &Margins, now: Timestamp) {
        let next = Self::new(quota, pacing, margins, now);
        let old = std::mem::replace(self, next);
        self.others = old.others.under_another(old.quota, quota, now);
        self.ledgers.succeed(old.ledgers, quota, now);
        self.whole = old.whole.map(|whole| {
            let mut next = self.ledgers.clone();
            next.succeed(whole, quota, now);
            next
        });
        self.rescale(now);
        self.undated = old.undated;
        self.reserved = old.reserved;
        self.lately = old.lately;
        self.explained = old.explained;
        self.learned = old.learned;
        self.doubts = old.doubts;
        if let (Some(new), Some(known)) = (&mut self.suspects, old.suspects)
            && old.quota == quota
        {
            *new = known;
        }
    }

    /// Forgets everything and assumes the buckets empty at `at`, for charges to be told again from there.
    pub(super) fn retell_from(&mut self, at: Timestamp) {
        self.ledgers.empty_at(at);
        self.whole.iter_mut().for_each(|whole| whole.empty_at(at));
    }

    /// What the next holder of the lane has to know. `running` are charges of calls that are not over, which it is
    /// told by themselves.
    pub(super) fn snapshot(
        &self,
        now: Timestamp,
        running: impl Iterator<Item = (Timestamp, u64)>,
    ) -> PaceSnapshot {
        let mut settled = self.ledgers.sliding.clone();
        for (at, amount) in running {
            settled.credit(now, at, amount);
        }
        PaceSnapshot {
            buckets: self.ledgers.parts(now),
            minutes: self.ledgers.minutes(),
            seconds: settled.seconds(now),
        }
    }

    /// Takes up what was left, as of now. A charge is dated to the end of its second, never earlier than it was made.
    pub(super) fn resume(&mut self, now: Timestamp, left: &PaceSnapshot) {
        self.ledgers
            .resume(now, &left.buckets, left.minutes, &left.seconds);
        // What refusals took off is taken off here too: that can only refuse.
        self.whole = None;
        self.rescale(now);
    }

    /// After [`Pace::resume`]: the charge of a call that started at `at` and is not over. Buckets and minutes have it.
    pub(super) fn rejoin(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.ledgers.sliding.charge(now, at, amount);
        let whole = self.whole.iter_mut();
        whole.for_each(|whole| whole.sliding.charge(now, at, amount));
    }

    /// What was learned, for keeping.
    pub(super) fn memory(&self, now: Timestamp) -> QuotaMemory {
        let none = (Kinds::NONE, Kinds::NONE);
        let excluded = self
            .suspects
            .as_ref()
            .map_or(none, |suspects| suspects.excluded(now));
        QuotaMemory {
            others: self.others.share().rounded(),
            ruled_out: excluded.0,
            suspended: excluded.1,
            doubted: self.doubts.standing(now),
            suspensions: self.suspects.as_ref().map(Suspects::spells).unwrap_or_default(),
            doubts: self.doubts.spells(),
        }
    }

    /// Takes up what an earlier process has learned.
    pub(super) fn remember(&mut self, now: Timestamp, memory: QuotaMemory) {
        self.others = Others::known(memory.others, now);
        self.rescale(now);
        self.doubts = Doubts::known(now, memory.doubted, memory.doubts);
        if let Some(suspects) = &mut self.suspects {
            suspects.known(now, memory.ruled_out, memory.suspended, memory.suspensions);
        }
    }
}
