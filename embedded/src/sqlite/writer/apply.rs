//! Writes applied in memory; the next commit writes each touched row once.

use super::Writer;
use super::op::{End, Reply, Urgency};
use super::table::{Dirty, Row};
use crate::lock;
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::queries;
use smoother_core::call::Settlement;
use smoother_core::lifecycle::{Change, apply};
use smoother_core::ports::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, NewRequest, PayloadKind, PayloadRef, StoreError,
};
use smoother_core::{Call, CallNo, Door, LaneId, Request, RequestId, Timestamp};

impl Writer {
    pub(super) fn insert(&mut self, new: NewRequest, reply: Reply<Inserted>) {
        let (id, door) = (new.request.id, new.request.door);
        let body_key = held_key(Some(&new.body));
        let outcome = self.insert_row(new);
        match &outcome {
            Ok(Inserted::Fresh) => self.batch.named.extend(body_key),
            Ok(_) | Err(_) => self.remove_files(body_key.as_slice()),
        }
        let urgency = match door {
            Door::Sync => Urgency::Soon,
            Door::Job => Urgency::Now,
        };
        self.answer(id, Some(door), urgency, reply, outcome);
    }

    fn insert_row(&mut self, new: NewRequest) -> Result<Inserted, StoreError> {
        let NewRequest { request, body } = new;
        if let Some(row) = self.find(request.id)? {
            return Ok(if row.request.body_hash == request.body_hash {
                Inserted::Same(Box::new(row.request.clone()))
            } else {
                Inserted::Conflict
            });
        }
        let place = self.free_place(request.arrived_at)?;
        let now = self.clock.now();
        if self.tenants.insert(request.tenant.clone()) {
            self.batch.tenants.push(request.tenant.clone());
        }
        if let PayloadRef::Inline(bytes) = &body {
            self.batch.bytes += bytes.len();
        }
        let id = request.id;
        // Only now: another body under the same id must not take the place of the one that is stored.
        self.shared.bodies.put(id, PayloadKind::Body, &body);
        let dirty = Dirty {
            new: true,
            changed: true,
            body: Some(body),
            events: vec![(request.rev, request.state, now)],
            ..Dirty::default()
        };
        self.batch.dirty.push(id);
        self.table.put(
            id,
            Row {
                place,
                request,
                call: None,
                dirty: Some(Box::new(dirty)),
            },
        );
        Ok(Inserted::Fresh)
    }

    /// A place that no row has. Those after the newest row of the last run are free without looking.
    fn free_place(&mut self, arrived_at: Timestamp) -> Result<i64, StoreError> {
        loop {
            let place = self.places.next(arrived_at);
            if place > self.newest_place_at_start {
                return Ok(place);
            }
            let taken: bool = self
                .conn
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM requests WHERE place = ?1)")
                .and_then(|mut statement| statement.query_row([place], |row| row.get(0)))
                .map_err(|error| of_sqlite(&error))?;
            if !taken {
                return Ok(place);
            }
        }
    }

    pub(super) fn change(&mut self, id: RequestId, change: &Change, reply: Reply<Request, ChangeError>) {
        let outcome = self.change_row(id, change);
        let door = outcome.as_ref().ok().map(|request| request.door);
        self.answer(id, door, Urgency::of_change(change), reply, outcome);
    }

    /// Applies a change; a claim begins its call, and losing one settles it as indeterminate.
    pub(super) fn change_row(&mut self, id: RequestId, change: &Change) -> Result<Request, ChangeError> {
        let now = self.clock.now();
        let row = self.find(id)?.ok_or(ChangeError::NotFound(id))?;
        let next = apply(&row.request, change)?;
        let was_over = row.request.state.is_terminal();
        let moved = next.lane != row.request.lane || (was_over && !next.state.is_terminal());
        row.request = next;
        let request = row.request.clone();
        let dirty = row.dirty.get_or_insert_default();
        let first = !dirty.is_listed();
        dirty.changed = true;
        dirty.moved |= moved;
        dirty.events.push((request.rev, request.state, now));
        if let Change::Claim { call, at } = change {
            let begun = Call {
                request: id,
                number: *call,
                lane: request.lane.clone(),
                reserved: request.reserved,
                charged_at: *at,
                settlement: None,
            };
            dirty.calls.push(begun.clone());
            row.call = Some(begun);
        }
        if first {
            self.batch.dirty.push(id);
        }
        if request.state.is_terminal() && !was_over {
            self.batch.ended.push(id);
        }
        Ok(request)
    }

    pub(super) fn end(&mut self, id: RequestId, end: End, reply: Reply<EndReport>) {
        let urgency = end.change.as_ref().map_or(Urgency::Soon, Urgency::of_change);
        let outcome = self.end_row(id, end);
        let door = match &outcome {
            Ok(EndReport { request: Ok(row) }) => Some(row.door),
            _ => None,
        };
        self.answer(id, door, urgency, reply, outcome);
    }

    fn end_row(&mut self, id: RequestId, end: End) -> Result<EndReport, StoreError> {
        let result_key = held_key(end.result.as_ref());
        let completes = matches!(end.change, Some(Change::Complete { .. } | Change::Degrade { .. }));
        let settled = self.settle(id, end.settlement);
        let request = match (settled, end.change) {
            (Err(ChangeError::Store(error)), _) => Err(error),
            (Err(refused), _) => Ok(Err(refused)),
            (Ok(row), None) => Ok(Ok(row)),
            (Ok(_), Some(change)) => match self.change_row(id, &change) {
                Err(ChangeError::Store(error)) => Err(error),
                outcome => Ok(outcome),
            },
        };
        if completes && matches!(request, Ok(Ok(_))) {
            self.batch.named.extend(result_key);
            self.keep_result(id, end.result);
        } else {
            self.remove_files(result_key.as_slice());
        }
        Ok(EndReport { request: request? })
    }

    /// A change that brings a result but ends no call.
    pub(super) fn answer_row(
        &mut self,
        id: RequestId,
        change: &Change,
        result: PayloadRef,
        reply: Reply<Request, ChangeError>,
    ) {
        let result_key = held_key(Some(&result));
        let outcome = self.change_row(id, change);
        if outcome.is_ok() {
            self.batch.named.extend(result_key);
            self.keep_result(id, Some(result));
        } else {
            self.remove_files(result_key.as_slice());
        }
        let door = outcome.as_ref().ok().map(|request| request.door);
        self.answer(id, door, Urgency::of_change(change), reply, outcome);
    }

    /// Settles a call of a request; a settled one stays as it was. Gives the request's row.
    pub(super) fn settle(&mut self, id: RequestId, settlement: Settlement) -> Result<Request, ChangeError> {
        self.load_call(id, settlement.call)?;
        let row = self.find(id)?.ok_or(ChangeError::NotFound(id))?;
        let known = row.call.take_if(|call| call.number == settlement.call);
        let Some(call) = known else {
            tracing::warn!(request = %id, call = %settlement.call, "a call that was never claimed cannot be settled");
            return Ok(row.request.clone());
        };
        if call.settlement.is_none() {
            let call = call.settled(settlement);
            let dirty = row.dirty.get_or_insert_default();
            let first = !dirty.is_listed();
            match dirty.calls.iter_mut().find(|other| other.number == call.number) {
                Some(same) => *same = call.clone(),
                None => dirty.calls.push(call.clone()),
            }
            row.call = Some(call);
            let request = row.request.clone();
            if first {
                self.batch.dirty.push(id);
            }
            return Ok(request);
        }
        row.call = Some(call);
        Ok(row.request.clone())
    }

    /// Makes the row's `call` the one with this number, if there is such a call.
    fn load_call(&mut self, id: RequestId, number: CallNo) -> Result<(), StoreError> {
        let Some(row) = self.find(id)? else { return Ok(()) };
        if row.call.as_ref().is_some_and(|call| call.number == number) {
            return Ok(());
        }
        let unwritten = row
            .dirty
            .as_ref()
            .and_then(|dirty| dirty.calls.iter().find(|call| call.number == number).cloned());
        let place = row.place;
        let found = match unwritten {
            Some(call) => Some(call),
            None => queries::call(&self.conn, place, number.get())?,
        };
        if let (Some(call), Some(row)) = (found, self.table.get(id)) {
            row.call = Some(call);
        }
        Ok(())
    }

    fn keep_result(&mut self, id: RequestId, result: Option<PayloadRef>) {
        let Some(result) = result else { return };
        if let PayloadRef::Inline(bytes) = &result {
            self.batch.bytes += bytes.len();
        }
        if self.shared.relaxed {
            self.shared.bodies.put(id, PayloadKind::Result, &result);
        }
        if let Some(row) = self.table.get(id) {
            row.dirty.get_or_insert_default().result = Some(result);
        }
    }

    pub(super) fn keep_day(&mut self, lane: LaneId, count: DayCount, reply: Reply<()>) {
        let newer = |known: &DayCount| (known.day, known.tokens) < (count.day, count.tokens);
        if self.batch.days.get(&lane).is_none_or(newer) {
            self.batch.days.insert(lane, count);
        }
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    pub(super) fn keep_memory(&mut self, lane: LaneId, memory: LaneMemory, reply: Reply<()>) {
        self.batch.memories.insert(lane, memory);
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    pub(super) fn told(&mut self, seq: u64, reply: Reply<()>) {
        self.batch.told = self.batch.told.max(Some(seq));
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    /// The row in memory, read from the database if it is not there.
    pub(super) fn find(&mut self, id: RequestId) -> Result<Option<&mut Row>, StoreError> {
        // Looked up twice, because a borrow that is returned cannot end before the other branch.
        if self.table.get(id).is_none() {
            let Some((place, request)) = queries::request(&self.conn, id)? else {
                return Ok(None);
            };
            let row = Row {
                place,
                request,
                call: None,
                dirty: None,
            };
            return Ok(Some(self.table.put(id, row)));
        }
        Ok(self.table.get(id))
    }

    /// Answers after the commit that holds what the answer rests on; at once if that is stored already or, under
    /// `relaxed`, if the request is synchronous.
    fn answer<T, E>(
        &mut self,
        id: RequestId,
        door: Option<Door>,
        urgency: Urgency,
        reply: Reply<T, E>,
        outcome: Result<T, E>,
    ) where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if self.table.get(id).is_none_or(|row| row.dirty.is_none()) {
            // Whoever asked may have gone.
            let _ = reply.send(outcome);
        } else if self.shared.relaxed && door == Some(Door::Sync) && outcome.is_ok() {
            lock(&self.shared.early).insert(id);
            self.batch.note(Urgency::Relaxed);
            let _ = reply.send(outcome);
        } else {
            self.batch.note(urgency);
            self.batch.answer(reply, outcome);
        }
    }
}

impl Dirty {
    /// Whether the batch knows of the row already.
    fn is_listed(&self) -> bool {
        self.new || self.changed || !self.calls.is_empty()
    }
}

fn held_key(payload: Option<&PayloadRef>) -> Option<String> {
    match payload {
        Some(PayloadRef::Held { key, .. }) => Some(key.clone()),
        Some(PayloadRef::Inline(_)) | None => None,
    }
}
