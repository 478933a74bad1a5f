//! The ledger as one holder of a lane leaves it to the next.
//!
//! Everything in it is an age: how long before the snapshot a call started, in which second before it how much was
//! charged. A short pause after a refusal is over before anybody has taken the lane, and is not in it. Two holders have two clocks, and how far those are apart nobody knows; so the next one takes the snapshot
//! for this very moment. The time between them is lost, which costs a minute of the quota at the worst and can never
//! spend it twice.

use super::book::Open;
use super::day::{ParkSnapshot, day_of};
use super::keeping::PaceSnapshot;
use super::{CallKey, Ledger};
use crate::ids::{CallNo, RequestId};
use crate::ports::DayCount;
use crate::units::{Millis, Timestamp, Tokens};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// What is left of a ledger: charges that count, calls that are not over, the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSnapshot {
    #[serde(rename = "t")]
    tokens: PaceSnapshot,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    requests: Option<PaceSnapshot>,
    #[serde(rename = "d")]
    day: DayCount,
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<OpenCall>,
    /// What a refusal for capacity has taught: how long ago, and how many calls ran.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    slots: Option<(Millis, u32)>,
    /// A refusal for the day keeps the lane back.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    park: Option<ParkSnapshot>,
}

/// A call that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Compact", into = "Compact")]
pub(crate) struct OpenCall {
    pub(crate) key: CallKey,
    pub(crate) tokens: Tokens,
    /// Of them what is held and not charged.
    pub(crate) surplus: Tokens,
    /// How long ago it started, or (not `started`) was released.
    pub(crate) age: Millis,
    pub(crate) started: bool,
}

/// An open call in as few bytes as JSON takes: a lane may have hundreds. Most have no surplus.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Compact {
    Whole(String, u32, u64, u64, u8),
    WithSurplus(String, u32, u64, u64, u8, u64),
}

impl From<OpenCall> for Compact {
    fn from(open: OpenCall) -> Self {
        let id = URL_SAFE_NO_PAD.encode(open.key.0.as_bytes());
        let (call, tokens, age) = (open.key.1.get(), open.tokens.get(), open.age.get());
        let started = u8::from(open.started);
        match open.surplus.get() {
            0 => Self::Whole(id, call, tokens, age, started),
            surplus => Self::WithSurplus(id, call, tokens, age, started, surplus),
        }
    }
}

impl TryFrom<Compact> for OpenCall {
    type Error = String;
    fn try_from(compact: Compact) -> Result<Self, String> {
        let (id, call, tokens, age, started, surplus) = match compact {
            Compact::Whole(id, call, tokens, age, started) => (id, call, tokens, age, started, 0),
            Compact::WithSurplus(id, call, tokens, age, started, surplus) => {
                (id, call, tokens, age, started, surplus)
            }
        };
        let mut bytes = [0u8; 16];
        match URL_SAFE_NO_PAD.decode_slice(&id, &mut bytes) {
            Ok(16) => {}
            _ => return Err(format!("{id:?} is not a request's id in base64")),
        }
        Ok(Self {
            key: (RequestId::from_bytes(bytes), CallNo::new(call)),
            tokens: Tokens::new(tokens),
            surplus: Tokens::new(surplus.min(tokens)),
            age: Millis::new(age),
            started: started != 0,
        })
    }
}

impl LedgerSnapshot {
    /// Calls that are not over, oldest request first.
    pub(crate) fn open(&self) -> &[OpenCall] {
        &self.open
    }
}

impl Ledger {
    /// What the next holder of the lane has to know at this moment.
    pub fn snapshot(&self, now: Timestamp) -> LedgerSnapshot {
        let now = now.max(self.now);
        let mut open: Vec<OpenCall> = self.open.iter().map(|(key, open)| open.aged(*key, now)).collect();
        // The order of a hash map is no order.
        open.sort_unstable();
        let running: Vec<(Timestamp, u64)> = self
            .open
            .values()
            .filter_map(|open| Some((open.started?, open.taken())))
            .collect();
        let calls = running.iter().map(|(at, _)| (*at, 1));
        LedgerSnapshot {
            tokens: self.tokens.snapshot(now, running.iter().copied()),
            requests: self.requests.as_ref().map(|pace| pace.snapshot(now, calls)),
            day: self.day.count(),
            open,
            slots: self.slots.snapshot(now),
            park: self.park.snapshot(now),
        }
    }

    /// Another number after everything that would change a snapshot, the passing of time aside.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes up where another holder stopped, as if it had stopped just now. For a ledger in which nothing was spent.
    ///
    /// `away` is how long ago that was, as far as their clocks tell. Only what refusals have taught goes by it, which
    /// can be wrong without harm; a charge does not.
    pub fn resume(&mut self, now: Timestamp, left: &LedgerSnapshot, away: Millis) {
        let now = self.advance(now);
        self.tokens.resume(now, &left.tokens);
        if let (Some(pace), Some(left)) = (&mut self.requests, &left.requests) {
            pace.resume(now, left);
        }
        self.day.restore(left.day);
        if let Some((age, calls)) = left.slots {
            self.slots.resume(now, (age + away, calls));
        }
        if let Some(park) = left.park.filter(|_| left.day.day == day_of(now)) {
            self.park.resume(now, park, away);
        }
        for open in &left.open {
            self.reopen(now, *open);
        }
    }

    fn reopen(&mut self, now: Timestamp, call: OpenCall) {
        if self.open.contains_key(&call.key) {
            return;
        }
        let at = now.before(call.age);
        let tokens = call.tokens.get();
        let open = Open {
            tokens,
            surplus: call.surplus.get(),
            released: at,
            started: call.started.then_some(at),
        };
        if call.started {
            self.tokens.rejoin(now, at, open.taken());
            self.tokens.reserve(now, open.surplus);
            self.requests.iter_mut().for_each(|pace| pace.rejoin(now, at, 1));
            self.day.count_open(at, tokens);
        } else {
            self.tokens.reserve(now, tokens);
            self.requests.iter_mut().for_each(|pace| pace.reserve(now, 1));
            self.day.hold(tokens);
        }
        self.tokens.await_end_of(tokens);
        self.open.insert(call.key, open);
    }
}

impl Open {
    fn aged(&self, key: CallKey, now: Timestamp) -> OpenCall {
        OpenCall {
            key,
            tokens: Tokens::new(self.tokens),
            surplus: Tokens::new(self.surplus),
            age: now.since(self.started.unwrap_or(self.released)),
            started: self.started.is_some(),
        }
    }
}
