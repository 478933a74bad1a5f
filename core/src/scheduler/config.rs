//! What a lane's scheduler is set up with.

use crate::config::{Config, LaneConfig, PriorityWeights};
use crate::ids::TenantId;
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
    /// Partial view: heads kept of each tenant in each band. `None` keeps every waiting request.
    pub window: Option<usize>,
}

impl SchedulerConfig {
    /// The settings of one lane out of the whole configuration, with the full view.
    pub fn of(config: &Config, lane: &LaneConfig) -> Self {
        Self {
            lane: lane.clone(),
            priorities: config.priorities,
            tenants: config
                .tenants
                .iter()
                .map(|(id, tenant)| (id.clone(), tenant.weight))
                .collect(),
            window: None,
        }
    }

    /// A tenant's share among its band's tenants; at least 1.
    pub fn weight(&self, tenant: &TenantId) -> u32 {
        self.tenants.get(tenant).copied().unwrap_or(1).max(1)
    }
}
