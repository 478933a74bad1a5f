//! What is applied: the rows as they are after every write, and what the next commit will hold.
//!
//! All of it is memory. What memory does not know is put there by the writer before a write is applied
//! ([`super::load`]), so applying never waits for the disk.

use super::batch::Batch;
use super::early::Early;
use super::op::Op;
use super::recent::Recent;
use super::table::{Sealed as SealedRow, Table};
use crate::lock;
use crate::sqlite::Shared;
use crate::sqlite::place::{Places, first_of};
use smoother_core::ports::{Clock, NewRequest, PayloadKind};
use smoother_core::{Request, RequestId, TenantId, Timestamp};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// The memory that writes are applied in.
pub(in crate::sqlite) struct Applied {
    pub(super) table: Table,
    pub(super) batch: Batch,
    pub(super) recent: Recent,
    pub(super) places: Places,
    pub(super) newest_place_at_start: i64,
    pub(super) tenants: HashSet<TenantId>,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What one commit writes, as it was when the commit began.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    pub rows: Vec<SealedRow>,
    /// Places and rows of what reached its terminal state, in that order.
    pub ended: Vec<(i64, Arc<Request>)>,
    pub batch: Batch,
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

impl Applied {
    /// `newest_place` and `ahead` are where the last run ended.
    pub fn new(shared: Arc<Shared>, clock: Arc<dyn Clock>, newest_place: i64, ahead: Timestamp) -> Self {
        Self {
            table: Table::default(),
            batch: Batch::default(),
            recent: Recent::new(newest_place, ahead),
            places: Places::default(),
            newest_place_at_start: newest_place,
            tenants: HashSet::new(),
            shared,
            clock,
        }
    }

    /// Whether a write may be applied at once: memory alone can tell what comes of it, and no file goes with it.
    pub(super) fn can_judge(&self, op: &Op) -> bool {
        if op.held_key().is_some() {
            return false;
        }
        match op {
            // A batch takes in no more when it is large: whoever brings more waits until it is committed.
            Op::Insert { .. } if self.batch.is_large() => false,
            Op::Insert { new, .. } => self.table.has(new.request.id) || self.is_new(new),
            Op::Change { id, .. } | Op::Answer { id, .. } => self.table.has(*id),
            Op::End { id, end, .. } => self.table.has_call(*id, end.settlement.call),
            Op::KeepDay { .. }
            | Op::KeepMemory { .. }
            | Op::KeepOutputs { .. }
            | Op::Told { .. }
            | Op::Barrier { .. } => true,
            Op::Recover { .. } | Op::Purge { .. } | Op::Close { .. } => false,
        }
    }

    /// Whether its id is stored nowhere, and its place is free.
    fn is_new(&self, new: &NewRequest) -> bool {
        self.recent.is_new(new.request.id) && first_of(new.request.arrived_at) > self.newest_place_at_start
    }

    /// A commit begins: it holds what is applied now.
    pub(super) fn seal(&mut self) -> Sealed {
        let batch = std::mem::take(&mut self.batch);
        if !batch.writes_rows() {
            self.with_early(Early::forget);
            return Sealed {
                batch,
                ..Sealed::default()
            };
        }
        self.table.begin_commit();
        let rows = batch.dirty.iter().filter_map(|id| self.table.seal(*id)).collect();
        let mut last = |id: &RequestId| {
            let row = self.table.get(*id)?;
            Some((row.place, Arc::clone(&row.request)))
        };
        let ended = batch.ended.iter().filter_map(&mut last).collect();
        self.with_early(Early::seal);
        Sealed { rows, ended, batch }
    }

    /// The commit is stored.
    pub(super) fn stored(&mut self, sealed: &Sealed) {
        for id in self.table.end_commit(&sealed.rows) {
            self.forget_payloads(id);
        }
        self.with_early(Early::stored);
    }

    /// The commit is not stored, and memory goes back to what is. What was applied since rests on it, so it is
    /// given back as what fails with it.
    pub(super) fn undo(&mut self, sealed: &Sealed) -> Batch {
        let since = std::mem::take(&mut self.batch);
        for id in sealed.batch.dirty.iter().chain(&since.dirty) {
            self.forget_payloads(*id);
        }
        self.table.clear();
        self.tenants.clear();
        self.with_early(Early::forget);
        since
    }

    fn with_early(&self, act: impl FnOnce(&mut Early)) {
        if self.shared.relaxed {
            act(&mut lock(&self.shared.early));
        }
    }

    fn forget_payloads(&self, id: RequestId) {
        self.shared.bodies.forget(id, PayloadKind::Body);
        self.shared.bodies.forget(id, PayloadKind::Result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use crate::sqlite::writer::testing::request;
    use crate::sqlite::{OpenOptions, SqliteStore};
    use smoother_core::lifecycle::Change;
    use smoother_core::ports::{ChangeError, Inserted, PayloadRef, StoreError};
    use tokio::sync::oneshot::{self, Receiver};

    struct Bed {
        applied: Applied,
        _store: Arc<SqliteStore>,
        _dir: tempfile::TempDir,
    }

    fn bed() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let opened = SqliteStore::open(&OpenOptions::new(dir.path()), Arc::clone(&clock)).unwrap();
        let shared = Arc::clone(&opened.store.shared);
        Bed {
            applied: Applied::new(shared, clock, -1, Timestamp::EPOCH),
            _store: opened.store,
            _dir: dir,
        }
    }

    fn insert(ms: u64) -> (Op, Receiver<Result<Inserted, StoreError>>) {
        let (reply, told) = oneshot::channel();
        let new = Box::new(NewRequest {
            request: request(ms),
            body: PayloadRef::Inline(vec![1; 10].into()),
        });
        (Op::Insert { new, reply }, told)
    }

    fn cancel(ms: u64) -> (Op, Receiver<Result<Request, ChangeError>>) {
        let (reply, told) = oneshot::channel();
        let change = Box::new(Change::Cancel {
            at: Timestamp::from_millis(ms),
        });
        let id = request(ms).id;
        (Op::Change { id, change, reply }, told)
    }

    #[test]
    fn a_commit_that_is_undone_takes_along_what_was_applied_since() {
        let Bed { mut applied, .. } = bed();
        let (first, mut told_first) = insert(1);
        applied.apply(first);
        let sealed = applied.seal();
        assert_eq!(sealed.rows.len(), 1);
        let (after, mut told_after) = cancel(1);
        assert!(applied.can_judge(&after));
        applied.apply(after);
        let (second, mut told_second) = insert(2);
        applied.apply(second);
        let since = applied.undo(&sealed);
        let why = StoreError::Full("no room".to_owned());
        sealed.batch.finish(Err(&why));
        since.finish(Err(&why));
        assert_eq!(told_first.try_recv().unwrap().unwrap_err(), why);
        assert_eq!(told_after.try_recv().unwrap().unwrap_err(), why.clone().into());
        assert_eq!(told_second.try_recv().unwrap().unwrap_err(), why);
        for ms in [1, 2] {
            let id = request(ms).id;
            assert!(!applied.table.has(id));
            assert!(applied.shared.bodies.get(id, PayloadKind::Body).is_none());
            assert!(
                !applied.can_judge(&insert(ms).0),
                "the database must say what it has"
            );
        }
    }

    #[test]
    fn a_large_batch_takes_in_no_more_requests_and_goes_on_with_those_it_has() {
        let Bed { mut applied, .. } = bed();
        applied.apply(insert(1).0);
        assert!(applied.can_judge(&insert(2).0));
        applied.batch.bytes += 1 << 30;
        assert!(!applied.can_judge(&insert(2).0));
        assert!(applied.can_judge(&cancel(1).0));
    }
}
