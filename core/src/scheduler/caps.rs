//! Calls at once of one tenant. Whoever has as many under way in the lane as it may have is not refused: its requests
//! wait, the others go, and as soon as one of its calls is over it has turns again.

use super::fairness::Shares;
use crate::ids::TenantId;
use std::collections::HashMap;

/// Calls of tenants with a cap that another holder of the lane let go: none of their requests is known here, and they
/// count all the same.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// By the slot of the call.
    calls: HashMap<u32, TenantId>,
}

impl Elsewhere {
    fn of(&self, tenant: &TenantId) -> u32 {
        let calls = self.calls.values().filter(|whose| *whose == tenant);
        u32::try_from(calls.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn whose(&self, slot: u32) -> Option<&TenantId> {
        self.calls.get(&slot)
    }
}

impl Shares {
    /// A call of the flow goes.
    pub(super) fn begins(&mut self, flow: u32) {
        self.count(flow, |under_way| under_way + 1);
    }

    /// It is over, or was never made.
    pub(super) fn ends(&mut self, flow: u32) {
        self.count(flow, |under_way| under_way.saturating_sub(1));
    }

    /// A call that another holder let go.
    pub(super) fn began_elsewhere(&mut self, slot: u32, tenant: &TenantId) {
        self.elsewhere.calls.insert(slot, tenant.clone());
        self.hold_or_let_all(tenant);
    }

    /// The call in this slot is over.
    pub(super) fn ended_elsewhere(&mut self, slot: u32) {
        if let Some(tenant) = self.elsewhere.calls.remove(&slot) {
            self.hold_or_let_all(&tenant);
        }
    }

    /// How many calls the flow's tenant has under way, and how many it may have; `None` where there is no limit.
    pub(super) fn calls_of(&self, flow: u32) -> Option<(u32, u32)> {
        let it = self.flow(flow).filter(|it| it.terms.most != u32::MAX)?;
        Some((self.under_way_of(&it.tenant), it.terms.most))
    }

    /// How many calls a tenant has under way, in all bands.
    pub(super) fn under_way_of(&self, tenant: &TenantId) -> u32 {
        let here: u32 = self.flows_of(tenant).map(|flow| self.under_way(flow)).sum();
        here.saturating_add(self.elsewhere.of(tenant))
    }

    /// Whether the flow's tenant has as many calls under way as it may have.
    pub(super) fn is_capped(&self, flow: u32) -> bool {
        self.calls_of(flow)
            .is_some_and(|(under_way, most)| under_way >= most)
    }

    fn under_way(&self, flow: u32) -> u32 {
        self.flow(flow).map_or(0, |it| it.under_way)
    }

    fn count(&mut self, flow: u32, by: impl Fn(u32) -> u32) {
        let Some(it) = self.flow_mut(flow) else { return };
        it.under_way = by(it.under_way);
        if it.terms.most != u32::MAX {
            let tenant = it.tenant.clone();
            self.hold_or_let_all(&tenant);
        }
    }

    fn hold_or_let_all(&mut self, tenant: &TenantId) {
        for flow in self.flows_of(tenant).collect::<Vec<_>>() {
            self.hold_or_let(flow);
        }
    }

    /// A tenant's flows, one a band.
    pub(super) fn flows_of<'a>(&'a self, tenant: &'a TenantId) -> impl Iterator<Item = u32> + 'a {
        self.bands
            .iter()
            .filter_map(move |band| band.by_tenant.get(tenant).copied())
    }
}
