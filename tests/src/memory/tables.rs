//! The durable tables and every write to them, each applied whole.

use super::held::HeldTables;
use super::indexes::Indexes;
use super::journal::Entry;
use bytes::Bytes;
use smoother_core::call::Settlement;
use smoother_core::lifecycle::{after_restart, apply};
use smoother_core::ports::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage, NewRequest, OutboxEntry,
    PayloadKind, PayloadRef, Recovered, StoreError,
};
use smoother_core::{Call, CallNo, Change, LaneId, Request, RequestId, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// Rows a page may have.
const MOST_LISTED: usize = 1_000;

/// A row's address: its arrival, and its number among all rows.
type Place = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Tables {
    places: BTreeMap<RequestId, Place>,
    rows: BTreeMap<Place, Request>,
    calls: BTreeMap<(RequestId, CallNo), Call>,
    payloads: HashMap<(RequestId, PayloadKind), PayloadRef>,
    blobs: BTreeMap<String, Bytes>,
    outbox: BTreeMap<u64, Request>,
    newest_entry: u64,
    days: BTreeMap<LaneId, DayCount>,
    memories: BTreeMap<LaneId, LaneMemory>,
    pub(super) held: HeldTables,
    pub(super) indexes: Indexes,
    pub(super) journal: Vec<Entry>,
}

/// Rows and what belongs to them.
impl Tables {
    pub(super) fn rows(&self) -> impl Iterator<Item = &Request> {
        self.rows.values()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&Request> {
        self.rows.get(self.places.get(&id)?)
    }

    pub(super) fn insert(&mut self, new: NewRequest) -> Inserted {
        let NewRequest { request, body } = new;
        if let Some(known) = self.get(request.id) {
            let same = known.body_hash == request.body_hash;
            let known = Box::new(known.clone());
            self.forget(Some(&body));
            return if same {
                Inserted::Same(known)
            } else {
                Inserted::Conflict
            };
        }
        let place = (request.arrived_at.as_millis(), self.places.len() as u64);
        self.places.insert(request.id, place);
        self.payloads.insert((request.id, PayloadKind::Body), body);
        self.note(&request);
        self.rows.insert(place, request);
        Inserted::Fresh
    }

    /// Applies a change; a claim begins its call, and an end goes into the outbox.
    pub(super) fn change(&mut self, id: RequestId, change: &Change) -> Result<Request, ChangeError> {
        let place = self.places.get(&id).ok_or(ChangeError::NotFound(id))?;
        let row = self.rows.get_mut(place).ok_or(ChangeError::NotFound(id))?;
        let next = apply(row, change)?;
        let was_over = row.state.is_terminal();
        *row = next.clone();
        self.note(&next);
        if let Change::Claim { call, at } = change {
            let begun = Call {
                request: id,
                number: *call,
                lane: next.lane.clone(),
                reserved: next.reserved,
                charged_at: *at,
                settlement: None,
            };
            self.journal.push(Entry::Began(begun.clone()));
            self.calls.insert((id, *call), begun);
        }
        if next.state.is_terminal() && !was_over {
            self.newest_entry += 1;
            self.outbox.insert(self.newest_entry, next.clone());
        }
        Ok(next)
    }

    /// A row was written: whoever looks at the world is told, and what follows from rows follows.
    fn note(&mut self, row: &Request) {
        self.journal.push(Entry::Row(Box::new(row.clone())));
        self.held.register(row);
        self.indexes.add(row);
    }

    pub(super) fn end(
        &mut self,
        id: RequestId,
        settlement: Settlement,
        change: Option<&Change>,
        result: Option<PayloadRef>,
    ) -> EndReport {
        self.settle(id, settlement);
        let request = match change {
            Some(change) => self.change(id, change),
            None => self.get(id).cloned().ok_or(ChangeError::NotFound(id)),
        };
        match result {
            Some(result) if request.is_ok() && brings_result(change) => {
                self.payloads.insert((id, PayloadKind::Result), result);
            }
            result => self.forget(result.as_ref()),
        }
        EndReport { request }
    }

    pub(super) fn answer(
        &mut self,
        id: RequestId,
        change: &Change,
        result: PayloadRef,
    ) -> Result<Request, ChangeError> {
        let request = self.change(id, change);
        if request.is_ok() {
            self.payloads.insert((id, PayloadKind::Result), result);
        } else {
            self.forget(Some(&result));
        }
        request
    }

    fn settle(&mut self, id: RequestId, settlement: Settlement) {
        if let Some(call) = self.calls.get_mut(&(id, settlement.call))
            && call.settlement.is_none()
        {
            self.journal.push(Entry::Settled(id, settlement.clone()));
            call.settlement = Some(settlement);
        }
    }

    pub(super) fn calls_of(&self, id: RequestId) -> Vec<Call> {
        let all = (id, CallNo::NONE)..=(id, CallNo::new(u32::MAX));
        self.calls.range(all).map(|(_, call)| call.clone()).collect()
    }

    pub(super) fn list(
        &self,
        filter: &ListFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, StoreError> {
        let before = match cursor {
            Some(text) => place_of(text).ok_or_else(|| {
                StoreError::Failed(format!(
                    "{text:?} is no cursor; give back the one a listing ended with"
                ))
            })?,
            None => (u64::MAX, u64::MAX),
        };
        let limit = limit.clamp(1, MOST_LISTED);
        let mut page = ListPage::default();
        let mut last = before;
        for (place, row) in self
            .rows
            .range(..before)
            .rev()
            .filter(|(_, row)| filter.takes(row))
        {
            if page.requests.len() == limit {
                page.next = Some(format!("m{:x}.{:x}", last.0, last.1));
                break;
            }
            last = *place;
            page.requests.push(row.clone());
        }
        Ok(page)
    }
}

/// Past every rule.
impl Tables {
    pub(super) fn put(&mut self, row: Request) {
        if let Some(place) = self.places.get(&row.id) {
            self.rows.insert(*place, row);
        }
    }

    pub(super) fn put_settlement(&mut self, id: RequestId, settlement: Settlement) {
        if let Some(call) = self.calls.get_mut(&(id, settlement.call)) {
            call.settlement = Some(settlement);
        }
    }
}

/// What a lane finds after a restart.
impl Tables {
    pub(super) fn recover(
        &mut self,
        lane: &LaneId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Recovered, StoreError> {
        let mut calls: Vec<Call> = Vec::new();
        for call in self.calls.values_mut().filter(|call| call.lane == *lane) {
            if call.settlement.is_none() {
                let settlement = Settlement::indeterminate(call.number, call.reserved, now);
                self.journal
                    .push(Entry::Settled(call.request, settlement.clone()));
                call.settlement = Some(settlement);
            } else if call.charged_at < since {
                continue;
            }
            calls.push(call.clone());
        }
        calls.sort_by_key(|call| call.charged_at);
        let open: Vec<Request> = self
            .rows()
            .filter(|row| row.lane == *lane && !row.state.is_terminal())
            .cloned()
            .collect();
        let mut waiting = Vec::with_capacity(open.len());
        for row in open {
            let row = self.requeued(row, now)?;
            if !row.state.is_terminal() {
                waiting.push(row);
            }
        }
        let day = self.days.get(lane).copied();
        let memory = self.memories.get(lane).copied().unwrap_or_default();
        Ok(Recovered {
            waiting,
            calls,
            day,
            memory,
        })
    }

    fn requeued(&mut self, row: Request, now: Timestamp) -> Result<Request, StoreError> {
        let Some(change) = after_restart(&row, now) else {
            return Ok(row);
        };
        self.change(row.id, &change)
            .map_err(|error| StoreError::Damaged(format!("{} cannot be recovered: {error}", row.id)))
    }

    pub(super) fn keep_day(&mut self, lane: &LaneId, count: DayCount) {
        let newer = |known: &DayCount| (known.day, known.tokens) < (count.day, count.tokens);
        if self.days.get(lane).is_none_or(newer) {
            self.days.insert(lane.clone(), count);
        }
    }

    pub(super) fn keep_memory(&mut self, lane: &LaneId, memory: LaneMemory) {
        self.memories.insert(lane.clone(), memory);
    }
}

/// The outbox.
impl Tables {
    pub(super) const fn newest_entry(&self) -> u64 {
        self.newest_entry
    }

    pub(super) fn entries(&self, after: u64, limit: usize) -> Vec<OutboxEntry> {
        let entries = self.outbox.range(after.saturating_add(1)..);
        entries
            .take(limit.max(1))
            .map(|(seq, request)| OutboxEntry {
                seq: *seq,
                request: request.clone(),
            })
            .collect()
    }

    pub(super) fn told(&mut self, seq: u64) {
        self.outbox = self.outbox.split_off(&seq.saturating_add(1));
    }
}

/// Payloads.
impl Tables {
    pub(super) fn hold(&mut self, key: String, payload: Bytes) {
        self.blobs.insert(key, payload);
    }

    pub(super) fn payload(&self, id: RequestId, kind: PayloadKind) -> Result<Option<Bytes>, StoreError> {
        match self.payloads.get(&(id, kind)) {
            None => Ok(None),
            Some(PayloadRef::Inline(bytes)) => Ok(Some(bytes.clone())),
            Some(PayloadRef::Held { key, .. }) => match self.blobs.get(key) {
                Some(bytes) => Ok(Some(bytes.clone())),
                None => Err(StoreError::Damaged(format!("the payload {key} is missing"))),
            },
        }
    }

    /// Lets go of a payload that no row came to name.
    fn forget(&mut self, payload: Option<&PayloadRef>) {
        let Some(PayloadRef::Held { key, .. }) = payload else {
            return;
        };
        let named = |known: &PayloadRef| matches!(known, PayloadRef::Held { key: other, .. } if other == key);
        // A write made twice offers the same payload again: the row may name it already.
        if !self.payloads.values().any(named) {
            self.blobs.remove(key);
        }
    }
}

/// The place of a cursor.
fn place_of(cursor: &str) -> Option<Place> {
    let (at, number) = cursor.strip_prefix('m')?.split_once('.')?;
    let read = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let place = (read(at)?, read(number)?);
    // Only what a listing would have written: no signs, no leading zeros, no capitals.
    (cursor == format!("m{:x}.{:x}", place.0, place.1)).then_some(place)
}

fn brings_result(change: Option<&Change>) -> bool {
    matches!(change, Some(Change::Complete { .. } | Change::Degrade { .. }))
}
