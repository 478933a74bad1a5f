//! What is applied: the rows as they are after every write, and what the next commit will hold.
//!
//! All of it is memory. What memory does not know is put there by the writer before a write is applied
//! ([`super::load`]), so applying never waits for the disk.

use super::batch::Batch;
use super::early::Early;
use super::op::Op;
use super::recent::Recent;
use super::table::{Sealed as SealedRow, Table};
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
    pub(super) early: Early,
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
            early: Early::default(),
            recent: Recent::new(newest_place, ahead),
            places: Places::default(),
            newest_place_at_start: newest_place,
            tenants: HashSet::new(),
            shared,
            clock,
        }
    }

    /// Whether memory alone can tell what comes of a write, and no file goes with it.
    pub(super) fn can_judge(&self, op: &Op) -> bool {
        if op.held_key().is_some() {
            return false;
        }
        match op {
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
            self.early.forget();
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
        self.early.seal();
        Sealed { rows, ended, batch }
    }

    /// The commit is stored.
    pub(super) fn stored(&mut self, sealed: &Sealed) {
        for id in self.table.end_commit(&sealed.rows) {
            self.forget_payloads(id);
        }
        self.early.stored();
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
        self.early.forget();
        since
    }

    fn forget_payloads(&self, id: RequestId) {
        self.shared.bodies.forget(id, PayloadKind::Body);
        self.shared.bodies.forget(id, PayloadKind::Result);
    }
}
