//! What a lane's scheduler is set up with.

use crate::config::{Bound, Config, LaneConfig, Limits, PriorityWeights};
use crate::ids::TenantId;
use crate::request::Priority;
use crate::units::Millis;
use std::collections::BTreeMap;

/// Settings of one lane's scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// The lane: its quota and its pacing.
    pub lane: LaneConfig,
    /// Shares of the bands.
    pub priorities: PriorityWeights,
    /// Shares of the tenants that have one of their own; any other tenant's is 1.
    pub tenants: BTreeMap<TenantId, u32>,
    /// Calls at once of the tenants that have a limit of their own.
    pub caps: BTreeMap<TenantId, u32>,
    /// How much may wait.
    pub limits: Limits,
    /// How much may wait of the tenants that have a bound of their own.
    pub bounds: BTreeMap<TenantId, Bound>,
    /// Partial view: heads kept of each tenant in each band. `None` keeps every waiting request.
    pub window: Option<usize>,
    /// How releases reach whoever makes the calls.
    pub handing: Handing,
}

/// On what terms a tenant is served in the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Its share among its band's tenants.
    pub(super) weight: u32,
    /// Its calls at once, in all bands together; `u32::MAX` where there is no limit.
    pub(super) most: u32,
}

/// How releases reach whoever makes the calls, and how long those last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handing {
    /// A release not claimed so long after it is void.
    pub start_within: Millis,
    /// While so many releases are unclaimed, no more are made.
    pub most_unclaimed: u64,
    /// How long a call is taken to last while none has been measured.
    pub first_span: Millis,
}

impl Default for Handing {
    /// Workers in the same process.
    fn default() -> Self {
        Self {
            start_within: Millis::from_secs(20),
            most_unclaimed: u64::MAX,
            first_span: Millis::from_secs(5),
        }
    }
}

impl SchedulerConfig {
    /// The settings of one lane out of the whole configuration, with the full view and workers in the same process.
    pub fn of(config: &Config, lane: &LaneConfig) -> Self {
        Self {
            lane: lane.clone(),
            priorities: config.priorities,
            tenants: config
                .tenants
                .iter()
                .map(|(id, tenant)| (id.clone(), tenant.weight))
                .collect(),
            caps: config
                .tenants
                .iter()
                .filter_map(|(id, tenant)| Some((id.clone(), tenant.max_concurrency?)))
                .collect(),
            limits: config.limits,
            bounds: config
                .tenants
                .iter()
                .map(|(id, tenant)| (id.clone(), tenant.max_waiting))
                .filter(|(_, bound)| bound.is_set())
                .collect(),
            window: None,
            handing: Handing::default(),
        }
    }

    /// Whether there is a bound on what waits of this band or tenant.
    pub fn is_bound(&self, priority: Priority, tenant: &TenantId) -> bool {
        self.limits.bound(priority) || self.bounds.contains_key(tenant)
    }

    /// On what terms a tenant is served.
    pub(super) fn terms(&self, tenant: &TenantId) -> Terms {
        // Whoever leaves a lane that is gone makes no call.
        let cap = self.caps.get(tenant).filter(|_| !self.lane.is_gone());
        Terms {
            weight: self.tenants.get(tenant).copied().unwrap_or(1).max(1),
            most: cap.map_or(u32::MAX, |most| (*most).max(1)),
        }
    }
}
