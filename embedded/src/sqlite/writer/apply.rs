//! Writes applied in memory; the next commit writes each touched row once.

use super::applied::Applied;
use super::op::{End, Op, Reply, Urgency};
use super::table::{Dirty, Row};
use crate::lock;
use smoother_core::call::Settlement;
use smoother_core::lifecycle::{Change, apply};
use smoother_core::ports::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, NewRequest, PayloadKind, PayloadRef, StoreError,
};
use smoother_core::{Call, Door, LaneId, Request, RequestId};
use std::sync::Arc;

impl Applied {
    /// Applies one write, of which memory knows what there is to know.
    pub(super) fn apply(&mut self, op: Op) {
        match op {
            Op::Insert { new, reply } => self.insert(*new, reply),
            Op::Change { id, change, reply } => self.change(id, &change, reply),
            Op::End { id, end, reply } => self.end(id, *end, reply),
            Op::Answer {
                id,
                change,
                result,
                reply,
            } => self.answer_row(id, &change, result, reply),
            Op::KeepMemory { lane, memory, reply } => self.keep_memory(lane, *memory, reply),
            Op::KeepDay { lane, count, reply } => self.keep_day(lane, count, reply),
            Op::KeepOutputs { learned, reply } => {
                self.batch.outputs.extend(learned);
                self.batch.note(Urgency::Whenever);
                self.batch.answer(reply, Ok(()));
            }
            Op::Told { seq, reply } => self.told(seq, reply),
            Op::Barrier { reply } => {
                self.batch.note(Urgency::Now);
                self.batch.answer(reply, Ok(()));
            }
            // The writer's own: it never hands them over.
            Op::Recover { .. } | Op::Purge { .. } | Op::Close { .. } => {}
        }
    }

    fn insert(&mut self, new: NewRequest, reply: Reply<Inserted>) {
        let (id, door) = (new.request.id, new.request.door);
        let body_key = held_key(Some(&new.body));
        let outcome = self.insert_row(new);
        match &outcome {
            Inserted::Fresh => self.batch.named.extend(body_key),
            Inserted::Same(_) | Inserted::Conflict => self.remove_file(body_key.as_deref()),
        }
        let urgency = match door {
            Door::Sync => Urgency::Soon,
            Door::Job => Urgency::Now,
        };
        self.answer(id, Some(door), urgency, reply, Ok(outcome));
    }

    fn insert_row(&mut self, new: NewRequest) -> Inserted {
        let NewRequest { request, body } = new;
        if let Some(row) = self.table.get(request.id) {
            return if row.request.body_hash == request.body_hash {
                Inserted::Same(Box::new(Request::clone(&row.request)))
            } else {
                Inserted::Conflict
            };
        }
        let place = self.places.next(request.arrived_at);
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
        self.recent.add(id);
        self.table.put(id, Row::new(place, request)).dirty = Some(Box::new(dirty));
        Inserted::Fresh
    }

    fn change(&mut self, id: RequestId, change: &Change, reply: Reply<Request, ChangeError>) {
        let outcome = self.change_row(id, change);
        let door = outcome.as_ref().ok().map(|request| request.door);
        self.answer(id, door, Urgency::of_change(change), reply, outcome);
    }

    /// Applies a change; a claim begins its call, and losing one settles it as indeterminate.
    pub(super) fn change_row(&mut self, id: RequestId, change: &Change) -> Result<Request, ChangeError> {
        let now = self.clock.now();
        let row = self.table.get(id).ok_or(ChangeError::NotFound(id))?;
        let next = apply(&row.request, change)?;
        let was_over = row.request.state.is_terminal();
        let moved = next.lane != row.request.lane || (was_over && !next.state.is_terminal());
        row.request = Arc::new(next);
        let request = Request::clone(&row.request);
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

    fn end(&mut self, id: RequestId, end: End, reply: Reply<EndReport>) {
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
            self.remove_file(result_key.as_deref());
        }
        Ok(EndReport { request: request? })
    }

    /// A change that brings a result but ends no call.
    fn answer_row(
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
            self.remove_file(result_key.as_deref());
        }
        let door = outcome.as_ref().ok().map(|request| request.door);
        self.answer(id, door, Urgency::of_change(change), reply, outcome);
    }

    /// Settles a call of a request; a settled one stays as it was. Gives the request's row.
    pub(super) fn settle(&mut self, id: RequestId, settlement: Settlement) -> Result<Request, ChangeError> {
        let row = self.table.get(id).ok_or(ChangeError::NotFound(id))?;
        row.turn_to_call(settlement.call);
        let known = row.call.take_if(|call| call.number == settlement.call);
        let Some(call) = known else {
            tracing::warn!(request = %id, call = %settlement.call, "a call that was never claimed cannot be settled");
            return Ok(Request::clone(&row.request));
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
            let request = Request::clone(&row.request);
            if first {
                self.batch.dirty.push(id);
            }
            return Ok(request);
        }
        row.call = Some(call);
        Ok(Request::clone(&row.request))
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

    fn keep_day(&mut self, lane: LaneId, count: DayCount, reply: Reply<()>) {
        let newer = |known: &DayCount| (known.day, known.tokens) < (count.day, count.tokens);
        if self.batch.days.get(&lane).is_none_or(newer) {
            self.batch.days.insert(lane, count);
        }
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    fn keep_memory(&mut self, lane: LaneId, memory: LaneMemory, reply: Reply<()>) {
        self.batch.memories.insert(lane, memory);
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    fn told(&mut self, seq: u64, reply: Reply<()>) {
        self.batch.told = self.batch.told.max(Some(seq));
        self.batch.note(Urgency::Whenever);
        self.batch.answer(reply, Ok(()));
    }

    fn remove_file(&self, key: Option<&str>) {
        if let Some(key) = key {
            self.shared.files.remove(key);
        }
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
        if self.table.is_stored(id) {
            // Whoever asked may have gone.
            let _ = reply.send(outcome);
        } else if self.shared.relaxed && door == Some(Door::Sync) && outcome.is_ok() {
            lock(&self.shared.early).add(id);
            self.batch.note(Urgency::Relaxed);
            let _ = reply.send(outcome);
        } else {
            self.batch.note(urgency);
            self.batch.answer(reply, outcome);
        }
    }
}

fn held_key(payload: Option<&PayloadRef>) -> Option<String> {
    match payload {
        Some(PayloadRef::Held { key, .. }) => Some(key.clone()),
        Some(PayloadRef::Inline(_)) | None => None,
    }
}
