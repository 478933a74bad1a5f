//! How bands and tenants stand to each other, as one holder of the lane leaves it to the next.

use super::super::account::Account;
use super::super::tenants::Standing;
use super::Shares;
use crate::ids::TenantId;
use crate::request::Priority;

impl Shares {
    /// How the tenants of a band stand to each other.
    pub(in crate::scheduler) fn standings(
        &self,
        priority: Priority,
    ) -> impl Iterator<Item = (&TenantId, Standing)> {
        let time = self.bands[priority.index()].time;
        let flows = self.flows.iter().flatten();
        flows
            .filter(move |flow| flow.priority == priority)
            .map(move |flow| (&flow.tenant, flow.account.standing(time)))
    }

    /// How a band stands to the others.
    pub(in crate::scheduler) fn band_standing(&self, priority: Priority) -> Standing {
        self.bands[priority.index()].account.standing(self.time)
    }

    /// Places a band, before anything has happened in it.
    pub(in crate::scheduler) fn place_band(&mut self, priority: Priority, standing: Standing) {
        let time = self.time;
        self.bands[priority.index()].account = Account::standing_so(time, standing);
    }

    /// Places a tenant of which no request is known.
    pub(in crate::scheduler) fn place(&mut self, flow: u32, standing: Standing) {
        self.join(flow);
        if let Some((band, it)) = self.both(flow) {
            it.account = Account::standing_so(band.time, standing);
        }
        // Gone again, it is remembered as long as its tag is ahead.
        self.part(flow);
    }
}
