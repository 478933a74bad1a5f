//! What the scheduler remembers of each request, and where.

use super::Waiting;
use super::line::Place;
use crate::ids::{CallNo, RequestId};
use crate::ledger::CallKey;
use crate::units::{Timestamp, Tokens};
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Where a request stands with the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In its tenant's line.
    Waiting,
    /// Out of the line until its time.
    Snoozed,
    /// Let go, not heard of since.
    Released,
    /// Its call is under way.
    Running,
}

/// Tokens of one request in four bytes: more than four thousand million are taken for so many.
#[derive(Debug, Clone, Copy)]
struct Few(u32);

impl Few {
    fn tokens(self) -> Tokens {
        Tokens::new(u64::from(self.0))
    }
}

impl From<Tokens> for Few {
    fn from(tokens: Tokens) -> Self {
        Self(u32::try_from(tokens.get()).unwrap_or(u32::MAX))
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: RequestId,
    /// Its tenant's flow; [`Entry::NO_FLOW`] for a call of before a restart.
    pub(super) flow: u32,
    /// Its last call.
    pub(super) call: CallNo,
    pub(super) standing: Standing,
    /// It has been released before: it goes before its tenant's others.
    pub(super) returned: bool,
    /// Its next call repeats one that failed.
    pub(super) retries: bool,
    /// Its chain of fallbacks goes on.
    pub(super) may_leave: bool,
    /// The next step of its chain is another lane.
    pub(super) has_next_lane: bool,
    pub(super) by_caller: bool,
    /// It was refused upstream although it is larger than the burst: it goes again only with nothing beside.
    pub(super) wants_alone: bool,
    /// The call under way went with nothing beside it.
    pub(super) went_alone: bool,
    /// How often it was refused with nothing beside it.
    pub(super) refused_alone: u8,
    /// The call under way is slow, and the breaker has heard of it.
    pub(super) drags: bool,
    /// Its time is nearly up: it stands among the urgent.
    pub(super) urgent: bool,
    pub(super) arrived: Timestamp,
    /// Its place in line: its deadline, or what is taken for one.
    pub(super) due: Timestamp,
    /// `due` is a real deadline.
    pub(super) has_deadline: bool,
    /// When it expires, if it still waits.
    pub(super) expires: Timestamp,
    pub(super) not_before: Timestamp,
    pub(super) reserve: Tokens,
    expected: Few,
    surplus: Few,
    /// When it is next looked at whatever happens.
    pub(super) alarm: Timestamp,
    /// When it was expected to start as it came, if it had to wait; `NEVER` else, and once it has.
    pub(super) foretold: Timestamp,
}

impl Entry {
    pub(super) const NO_FLOW: u32 = u32::MAX;

    pub(super) fn new(waiting: &Waiting, flow: u32) -> Self {
        let deadline = waiting.deadline.unwrap_or(Timestamp::NEVER);
        let soft = waiting.arrived_at + waiting.priority.soft_deadline();
        Self {
            id: waiting.id,
            flow,
            call: waiting.last_call,
            standing: Standing::Snoozed,
            returned: waiting.last_call > CallNo::NONE,
            retries: waiting.retries,
            may_leave: waiting.may_leave,
            has_next_lane: waiting.has_next_lane,
            by_caller: waiting.by_caller,
            wants_alone: false,
            went_alone: false,
            refused_alone: 0,
            drags: false,
            urgent: false,
            arrived: waiting.arrived_at,
            due: waiting.deadline.unwrap_or(soft),
            has_deadline: waiting.deadline.is_some(),
            expires: deadline.min(waiting.latest_start.unwrap_or(Timestamp::NEVER)),
            not_before: waiting.not_before.unwrap_or(Timestamp::EPOCH),
            reserve: waiting.reserve,
            expected: waiting.expected.into(),
            surplus: waiting.surplus.into(),
            alarm: Timestamp::NEVER,
            foretold: Timestamp::NEVER,
        }
    }

    /// A call of before a restart whose request is not known.
    pub(super) fn stray(key: CallKey, reserve: Tokens) -> Self {
        Self {
            id: key.0,
            flow: Self::NO_FLOW,
            call: key.1,
            standing: Standing::Running,
            returned: false,
            retries: false,
            may_leave: false,
            has_next_lane: false,
            by_caller: false,
            wants_alone: false,
            went_alone: false,
            refused_alone: 0,
            drags: false,
            urgent: false,
            arrived: Timestamp::EPOCH,
            due: Timestamp::NEVER,
            has_deadline: false,
            expires: Timestamp::NEVER,
            not_before: Timestamp::EPOCH,
            reserve,
            expected: Few(0),
            surplus: Few(0),
            alarm: Timestamp::NEVER,
            foretold: Timestamp::NEVER,
        }
    }

    /// What it will cost, as far as one knows.
    pub(super) fn expected(&self) -> Tokens {
        self.expected.tokens()
    }

    /// Of the reserve what the upstream does not take at the start.
    pub(super) fn surplus(&self) -> Tokens {
        self.surplus.tokens()
    }

    pub(super) fn set_cost(&mut self, (reserve, expected, surplus): (Tokens, Tokens, Tokens)) {
        self.reserve = reserve;
        self.expected = expected.into();
        self.surplus = surplus.into();
    }

    pub(super) fn place(&self) -> Place {
        Place::new(self.returned, self.due, self.id)
    }

    pub(super) fn key(&self) -> CallKey {
        (self.id, self.call)
    }

    /// Its place among those with a limit on their time, if it has one.
    pub(super) fn limit(&self) -> Option<Place> {
        (self.expires != Timestamp::NEVER).then(|| Place::new(false, self.expires, self.id))
    }

    /// Whether a call of it is released or running.
    pub(super) fn is_under_way(&self) -> bool {
        !self.waits()
    }

    /// Whether it waits, in line or snoozed.
    pub(super) fn waits(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::Snoozed)
    }
}

/// Slots by the id of what is in them. They hold no id of their own, which would be half as much again as the rest of
/// what finding a million requests takes; each is compared where it stands.
#[derive(Debug, Default)]
struct Slots {
    table: HashTable<u32>,
    hashing: RandomState,
}

impl Slots {
    fn find(&self, slots: &[Option<Entry>], id: RequestId) -> Option<u32> {
        let holds = |slot: &u32| id_in(slots, *slot) == Some(id);
        self.table.find(self.hashing.hash_one(id), holds).copied()
    }

    fn insert(&mut self, slots: &[Option<Entry>], id: RequestId, slot: u32) {
        let hash = |slot: &u32| id_in(slots, *slot).map_or(0, |id| self.hashing.hash_one(id));
        self.table.insert_unique(self.hashing.hash_one(id), slot, hash);
    }

    /// Nothing where another slot holds the id.
    fn remove(&mut self, id: RequestId, slot: u32) {
        let hash = self.hashing.hash_one(id);
        if let Ok(found) = self.table.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
    }
}

fn id_in(slots: &[Option<Entry>], slot: u32) -> Option<RequestId> {
    slots.get(slot as usize)?.as_ref().map(|entry| entry.id)
}

/// Every request the scheduler knows, in slots that are used again.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Entry>>,
    /// How often each slot was filled, to tell its tenants apart.
    fillings: Vec<u32>,
    vacant: Vec<u32>,
    by_id: Slots,
    /// Calls under way whose request has left, or was never known.
    strays: HashMap<CallKey, u32>,
}

impl Table {
    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// How many there are.
    pub(super) fn known(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// All of them, in the order of their slots.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    pub(super) fn find(&self, id: RequestId) -> Option<u32> {
        self.by_id.find(&self.slots, id)
    }

    pub(super) fn find_stray(&self, key: CallKey) -> Option<u32> {
        self.strays.get(&key).copied()
    }

    /// The filling of a slot: another one later means another request.
    pub(super) fn filling(&self, slot: u32) -> u32 {
        self.fillings.get(slot as usize).copied().unwrap_or(0)
    }

    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let id = entry.id;
        let slot = self.fill(entry);
        self.by_id.insert(&self.slots, id, slot);
        slot
    }

    pub(super) fn insert_stray(&mut self, entry: Entry) -> u32 {
        let key = entry.key();
        let slot = self.fill(entry);
        self.strays.insert(key, slot);
        slot
    }

    /// Its request has left; its call goes on.
    pub(super) fn make_stray(&mut self, slot: u32) {
        if let Some(entry) = self.get(slot) {
            let key = entry.key();
            self.by_id.remove(key.0, slot);
            self.strays.insert(key, slot);
        }
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.slots.get_mut(slot as usize)?.take()?;
        self.vacant.push(slot);
        self.by_id.remove(entry.id, slot);
        if self.strays.get(&entry.key()) == Some(&slot) {
            self.strays.remove(&entry.key());
        }
        Some(entry)
    }

    fn fill(&mut self, entry: Entry) -> u32 {
        if let Some(slot) = self.vacant.pop() {
            self.slots[slot as usize] = Some(entry);
            self.fillings[slot as usize] = self.fillings[slot as usize].wrapping_add(1);
            return slot;
        }
        if self.slots.len() == self.slots.capacity() {
            // Growing by a quarter instead of doubling: a million requests should not hold room for two.
            self.slots.reserve_exact(self.slots.len() / 4 + 64);
            self.fillings.reserve_exact(self.fillings.len() / 4 + 64);
        }
        self.slots.push(Some(entry));
        self.fillings.push(0);
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }
}
