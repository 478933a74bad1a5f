//! What a broken store does wrong.

use super::RigStore;
use crate::bounds::was_shed;
use crate::broken::Broken;
use smoother_core::call::Settlement;
use smoother_core::lifecycle::apply;
use smoother_core::ports::{EndReport, Ended, Live, PayloadRef, Update};
use smoother_core::{CallNo, Change, Request, RequestId, State};
use std::sync::Arc;

impl RigStore {
    /// A change that is answered as made, and is not made.
    pub(super) fn unwritten(&self, id: RequestId, change: &Change) -> Option<Request> {
        match change {
            Change::Expire { .. } if self.is(Broken::ExpiryUnwritten) => apply(&self.row(id)?, change).ok(),
            Change::Fail { failure, .. } if self.is(Broken::ShedUnwritten) && was_shed(failure) => {
                apply(&self.row(id)?, change).ok()
            }
            Change::Join { .. } if self.is(Broken::JoinForgotten) => self.row(id),
            _ => None,
        }
    }

    /// The row as a worker has it that does not look at what becomes of its claim, or not in time.
    pub(super) fn claimed_early(&self, id: RequestId, change: &Change) -> Option<Request> {
        let Change::Claim { call, at } = change else {
            return None;
        };
        if !self.is(Broken::FenceSkipped) && !self.is(Broken::CalledBeforeDurable) {
            return None;
        }
        Some(Request {
            state: State::Running,
            call: *call,
            started_at: Some(*at),
            ..self.row(id)?
        })
    }

    /// Readers are told of an end that is not stored yet.
    pub(super) fn tell_early(&self, id: RequestId, change: Option<&Change>, result: Option<&PayloadRef>) {
        let (Some(change), Some(PayloadRef::Inline(body)), Some(row)) = (change, result, self.row(id)) else {
            return;
        };
        if let Ok(request) = apply(&row, change) {
            let result = Some(body.clone());
            self.rig
                .hub
                .publish(id, Update::Ended(Arc::new(Ended { request, result })));
        }
    }

    /// What is done to the tables behind the store's back once a call's end is stored.
    pub(super) fn spoil(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        report: &EndReport,
    ) {
        let world = &self.rig.world;
        if self.is(Broken::SettledTwice) {
            world.put_settlement(id, settlement);
        }
        match (&report.request, change) {
            (Ok(row), Some(Change::Requeue { .. })) if self.is(Broken::CallNumberReused) => {
                let call = CallNo::new(row.call.get() - 1);
                world.put_row(Request {
                    call,
                    rev: row.rev.next(),
                    ..row.clone()
                });
            }
            (Err(_), Some(Change::Complete { answer, at, .. })) if self.is(Broken::StaleEndWritten) => {
                let Some(row) = self.row(id) else { return };
                world.put_row(Request {
                    state: State::Completed,
                    rev: row.rev.next(),
                    ended_at: Some(at),
                    outcome: Some(answer),
                    ..row
                });
            }
            _ => {}
        }
    }
}
