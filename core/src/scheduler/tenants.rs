//! Whom a lane has served, as one holder leaves it to the next: without it everybody would begin anew at each change
//! of holders, and whoever had just been served would be first again.

use super::fairness::Shares;
use super::lane::Scheduler;
use crate::ids::TenantId;
use crate::request::Priority;
use serde::{Deserialize, Serialize};

/// The version that is written. A reader takes this one and the one before; any other is passed over, because fair
/// shares come back by themselves.
const VERSION: u32 = 1;
/// Tenants that are kept in each band, those that are furthest ahead.
const MOST: usize = 2_000;

/// What bands and tenants were served beyond their turn, in tokens of weight 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantsSnapshot {
    v: u32,
    /// By band, interactive first.
    bands: [BandKept; 3],
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct BandKept {
    /// How far the band is ahead of the others, and what it was charged too much.
    of: Standing,
    /// The same of its tenants, among themselves.
    tenants: Vec<(TenantId, Standing)>,
}

/// How far a member is ahead of virtual time, and what it was charged too much and is to have back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Standing(pub(super) u64, pub(super) u64);

impl Standing {
    fn says_something(&self) -> bool {
        *self != Self::default()
    }
}

impl Scheduler {
    /// Whom the lane has served, at this moment.
    pub fn tenants(&self) -> TenantsSnapshot {
        self.shares.keep()
    }

    /// Takes up whom a former holder had served. For a scheduler that knows of no request yet.
    pub fn take_up_tenants(&mut self, left: &TenantsSnapshot) {
        if left.v > VERSION || left.v + 1 < VERSION {
            return;
        }
        for (priority, band) in Priority::ALL.into_iter().zip(&left.bands) {
            self.shares.place_band(priority, band.of);
            for (tenant, standing) in &band.tenants {
                let terms = self.config.terms(tenant);
                let flow = self.shares.intern(priority, tenant, terms);
                self.shares.place(flow, *standing);
            }
        }
    }
}

impl Shares {
    fn keep(&self) -> TenantsSnapshot {
        let bands = Priority::ALL.map(|priority| {
            let mut tenants: Vec<(TenantId, Standing)> = self
                .standings(priority)
                .filter(|(_, standing)| standing.says_something())
                .map(|(tenant, standing)| (tenant.clone(), standing))
                .collect();
            tenants.sort_unstable_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
            tenants.truncate(MOST);
            BandKept {
                of: self.band_standing(priority),
                tenants,
            }
        });
        TenantsSnapshot { v: VERSION, bands }
    }
}
