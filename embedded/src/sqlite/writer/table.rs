//! Requests in memory: those with changes not yet committed, and the lately used open ones.

use smoother_core::lifecycle::State;
use smoother_core::ports::PayloadRef;
use smoother_core::{Call, CallNo, Request, RequestId, Rev, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// Stored rows in each of the two generations.
const GENERATION: usize = 4_096;

/// A request as it is after every write so far.
#[derive(Debug)]
pub(super) struct Row {
    pub place: i64,
    pub request: Arc<Request>,
    /// The last call it had, where that is known.
    pub call: Option<Call>,
    /// What of it no commit holds yet.
    pub dirty: Option<Box<Dirty>>,
    /// The last commit that holds some of it.
    commit: u64,
}

impl Row {
    pub fn new(place: i64, request: Request) -> Self {
        Self {
            place,
            request: Arc::new(request),
            call: None,
            dirty: None,
            commit: 0,
        }
    }
}

/// The unwritten part of a row.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// The row itself is new.
    pub new: bool,
    /// The row itself has changed.
    pub changed: bool,
    /// Its lane is another than the stored one, or it is open again.
    pub moved: bool,
    pub body: Option<PayloadRef>,
    pub result: Option<PayloadRef>,
    /// Calls that began or were settled.
    pub calls: Vec<Call>,
    pub events: Vec<(Rev, State, Timestamp)>,
}

impl Dirty {
    /// Whether the batch knows of the row already.
    pub fn is_listed(&self) -> bool {
        self.new || self.changed || !self.calls.is_empty()
    }
}

/// A row as a commit writes it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub place: i64,
    pub request: Arc<Request>,
    pub dirty: Box<Dirty>,
}

/// Rows by id, in two generations: what is not used while the younger one fills up is forgotten.
#[derive(Debug, Default)]
pub(super) struct Table {
    young: HashMap<RequestId, Row>,
    old: HashMap<RequestId, Row>,
    /// The number of the last commit that was begun.
    commit: u64,
    /// It is not stored yet.
    writing: bool,
}

impl Table {
    pub fn get(&mut self, id: RequestId) -> Option<&mut Row> {
        if let Some(row) = self.old.remove(&id) {
            self.young.insert(id, row);
        }
        self.young.get_mut(&id)
    }

    fn peek(&self, id: RequestId) -> Option<&Row> {
        self.young.get(&id).or_else(|| self.old.get(&id))
    }

    pub fn has(&self, id: RequestId) -> bool {
        self.peek(id).is_some()
    }

    /// Whether the row is here, and this call of it.
    pub fn has_call(&self, id: RequestId, number: CallNo) -> bool {
        self.peek(id).is_some_and(|row| row.knows_call(number))
    }

    /// Whether all of the row that is here is stored; so it is if the row is not here.
    pub fn is_stored(&self, id: RequestId) -> bool {
        self.peek(id).is_none_or(|row| self.holds_stored(row))
    }

    fn holds_stored(&self, row: &Row) -> bool {
        row.dirty.is_none() && !(self.writing && row.commit == self.commit)
    }

    pub fn put(&mut self, id: RequestId, row: Row) -> &mut Row {
        self.young.entry(id).insert_entry(row).into_mut()
    }

    pub fn remove(&mut self, id: RequestId) {
        self.young.remove(&id);
        self.old.remove(&id);
    }

    /// A commit begins: [`Self::seal`] says what is in it.
    pub fn begin_commit(&mut self) {
        self.commit += 1;
        self.writing = true;
    }

    /// What of a row is not written yet goes into the commit.
    pub fn seal(&mut self, id: RequestId) -> Option<Sealed> {
        let commit = self.commit;
        let row = self.get(id)?;
        let dirty = row.dirty.take()?;
        row.commit = commit;
        Some(Sealed {
            place: row.place,
            request: Arc::clone(&row.request),
            dirty,
        })
    }

    /// The commit is stored. Gives back which of these have ended; nothing is kept of them.
    pub fn end_commit(&mut self, rows: &[Sealed]) -> Vec<RequestId> {
        self.writing = false;
        let mut ended = Vec::new();
        for id in rows.iter().map(|row| row.request.id) {
            let over = |row: &Row| row.request.state.is_terminal() && self.holds_stored(row);
            if self.peek(id).is_some_and(over) {
                self.remove(id);
                ended.push(id);
            }
        }
        self.age();
        ended
    }

    /// Forgets what is old once the young generation is full, but nothing that is not stored.
    fn age(&mut self) {
        if self.young.len() <= GENERATION {
            return;
        }
        let old = std::mem::take(&mut self.old);
        let unstored: Vec<_> = old
            .into_iter()
            .filter(|(_, row)| !self.holds_stored(row))
            .collect();
        self.old = std::mem::take(&mut self.young);
        self.young.extend(unstored);
    }

    /// Forgets everything: what is in memory is no longer what is stored.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.writing = false;
    }
}

impl Row {
    fn knows_call(&self, number: CallNo) -> bool {
        let last = self.call.iter();
        let unwritten = self.dirty.iter().flat_map(|dirty| &dirty.calls);
        last.chain(unwritten).any(|call| call.number == number)
    }

    /// Makes `call` the one with this number, if that is known.
    pub fn turn_to_call(&mut self, number: CallNo) {
        if self.call.as_ref().is_some_and(|call| call.number == number) {
            return;
        }
        let unwritten = self.dirty.iter().flat_map(|dirty| &dirty.calls);
        if let Some(call) = unwritten.into_iter().find(|call| call.number == number) {
            self.call = Some(call.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::writer::testing::request;

    fn changed() -> Option<Box<Dirty>> {
        Some(Box::new(Dirty {
            changed: true,
            ..Dirty::default()
        }))
    }

    #[test]
    fn a_row_is_stored_when_the_commit_that_holds_the_last_of_it_is() {
        let mut table = Table::default();
        let row = request(1);
        let id = row.id;
        assert!(table.is_stored(id), "what is not here is not unwritten");
        table.put(id, Row::new(1, row)).dirty = changed();
        assert!(!table.is_stored(id));
        table.begin_commit();
        let first = table.seal(id).unwrap();
        assert!(!table.is_stored(id), "it is being written");
        table.get(id).unwrap().dirty = changed();
        assert!(table.end_commit(&[first]).is_empty());
        assert!(!table.is_stored(id), "it changed while it was written");
        table.begin_commit();
        let second = table.seal(id).unwrap();
        table.end_commit(&[second]);
        assert!(table.is_stored(id) && table.has(id));
    }

    #[test]
    fn one_that_ended_leaves_with_the_commit_that_holds_all_of_it() {
        let mut table = Table::default();
        let mut row = request(1);
        row.state = State::Failed;
        let id = row.id;
        table.put(id, Row::new(1, row)).dirty = changed();
        table.begin_commit();
        let first = table.seal(id).unwrap();
        table.get(id).unwrap().dirty = changed();
        assert!(table.end_commit(&[first]).is_empty());
        assert!(table.has(id));
        table.begin_commit();
        let second = table.seal(id).unwrap();
        assert_eq!(table.end_commit(&[second]), [id]);
        assert!(!table.has(id));
    }

    #[test]
    fn what_is_not_stored_does_not_grow_old() {
        let mut table = Table::default();
        let fill = |table: &mut Table, from: u64| {
            for n in from..=from + GENERATION as u64 {
                let row = request(n);
                table.put(row.id, Row::new(1, row));
            }
        };
        let (kept, sealed) = (request(1), request(2));
        for row in [&kept, &sealed] {
            table.put(row.id, Row::new(1, row.clone())).dirty = changed();
        }
        table.begin_commit();
        let in_flight = table.seal(sealed.id).unwrap();
        for from in [10_000, 20_000, 30_000] {
            fill(&mut table, from);
            table.age();
        }
        assert!(table.has(kept.id) && table.has(sealed.id));
        assert!(
            !table.has(request(10_000).id),
            "of what is stored the oldest goes"
        );
        table.end_commit(&[in_flight]);
        for from in [40_000, 50_000] {
            fill(&mut table, from);
            table.age();
        }
        assert!(table.has(kept.id) && !table.has(sealed.id));
    }
}
