//! Requests in the writer's memory: those with changes not yet written, and the lately used open ones.

use smoother_core::lifecycle::State;
use smoother_core::ports::PayloadRef;
use smoother_core::{Call, Request, RequestId, Rev, Timestamp};
use std::collections::HashMap;

/// Clean rows in each of the two generations.
const GENERATION: usize = 4_096;

/// A request as the writer knows it.
#[derive(Debug)]
pub(super) struct Row {
    pub place: i64,
    pub request: Request,
    /// The last call it had, where that is known.
    pub call: Option<Call>,
    /// What of it is not written yet.
    pub dirty: Option<Box<Dirty>>,
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

/// Rows by id, in two generations: what is not used while the younger one fills up is forgotten.
#[derive(Debug, Default)]
pub(super) struct Table {
    young: HashMap<RequestId, Row>,
    old: HashMap<RequestId, Row>,
}

impl Table {
    pub fn get(&mut self, id: RequestId) -> Option<&mut Row> {
        if let Some(row) = self.old.remove(&id) {
            self.young.insert(id, row);
        }
        self.young.get_mut(&id)
    }

    pub fn put(&mut self, id: RequestId, row: Row) -> &mut Row {
        self.young.entry(id).insert_entry(row).into_mut()
    }

    pub fn remove(&mut self, id: RequestId) {
        self.young.remove(&id);
        self.old.remove(&id);
    }

    /// Forgets the old generation once the young one is full. Only when every row is clean.
    pub fn age(&mut self) {
        if self.young.len() > GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Forgets everything: what is in memory is no longer what is stored.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
