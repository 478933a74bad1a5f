//! Partial view: how much waits beyond the window.
//!
//! On AWS a lane's holder keeps the first few requests of each tenant and band. What it does not keep still counts where
//! a bound is on what waits, and where the lane is shown. It is counted as it goes out of the window and comes into it,
//! and set right whenever somebody counts in the store; so it is about right, and never decides who goes.

use super::bounds::Load;
use super::entry::Entry;
use super::fairness::Shares;
use super::lane::Scheduler;
use crate::ids::TenantId;
use crate::ports::Counted;
use crate::request::Priority;
use crate::units::{Timestamp, Tokens};

/// About what waits of a flow beyond the window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beyond {
    pub(super) load: Load,
    /// When the last of it is due, as far as that is known.
    pub(super) last: Timestamp,
}

impl Shares {
    fn beyond(&self) -> [Load; 3] {
        Priority::ALL.map(|priority| {
            let flows = self.bands[priority.index()].by_tenant.values();
            let flows = flows.filter_map(|flow| self.flow(*flow));
            flows.fold(Load::default(), |all, flow| all.and(flow.beyond.load))
        })
    }

    /// What waits of a tenant in each band, in the window or beyond it.
    pub(super) fn all_of(&self, tenant: &TenantId) -> [Load; 3] {
        let mut all = [Load::default(); 3];
        for flow in self.flows_of(tenant).filter_map(|flow| self.flow(flow)) {
            all[flow.priority.index()] = flow.waiting.and(flow.beyond.load);
        }
        all
    }
}

impl Scheduler {
    /// What waits beyond the window, of each band.
    pub(super) fn beyond(&self) -> [Load; 3] {
        // Where everything is kept nothing is beyond, and there may be many flows.
        self.config
            .window
            .map_or_else(Default::default, |_| self.shares.beyond())
    }

    /// One goes out of its flow's window.
    pub(super) fn goes_beyond(&mut self, gone: &Entry) {
        if let Some(it) = self.shares.flow_mut(gone.flow) {
            it.beyond.load.add(gone.reserve);
            it.beyond.last = it.beyond.last.max(gone.due);
        }
    }

    /// Everything of a flow is in the window.
    pub(super) fn nothing_beyond(&mut self, flow: u32) {
        if let Some(it) = self.shares.flow_mut(flow) {
            it.beyond = Beyond::default();
        }
    }

    /// One that was read in the store is about to come into the window.
    pub fn comes_from_beyond(&mut self, priority: Priority, tenant: &TenantId, reserve: Tokens) {
        let flow = self.shares.flow_of(priority, tenant);
        if let Some(it) = flow.and_then(|flow| self.shares.flow_mut(flow)) {
            it.beyond.load.take(reserve);
        }
    }

    /// Takes note of what somebody counted in the store: so many of a tenant's requests in a band wait and may go. Those
    /// beyond the window are taken to be as large as those in it.
    pub fn counted(&mut self, priority: Priority, tenant: &TenantId, counted: Counted) {
        let flow = self.shares.flow_of(priority, tenant);
        let Some(it) = flow.and_then(|flow| self.shares.flow_mut(flow)) else {
            return;
        };
        let beyond = counted.requests.saturating_sub(it.line.len() as u64);
        let known = it.waiting.requests.max(1);
        let tokens = u128::from(it.waiting.tokens.get()) * u128::from(beyond) / u128::from(known);
        it.beyond = Beyond {
            load: Load {
                requests: beyond,
                tokens: Tokens::new(u64::try_from(tokens).unwrap_or(u64::MAX)),
            },
            last: counted.last_due.unwrap_or(Timestamp::EPOCH),
        };
    }
}
