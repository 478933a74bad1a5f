//! What a workload is played against.

use crate::upstream::{Limiter, Upstream};
use crate::workload::Job;
use smoother_core::scheduler::SchedulerConfig;
use smoother_core::{ModelId, TenantId, Tokens, TokensPerMinute};
use std::collections::BTreeSet;

/// Whose requests go with a smaller max_tokens than their own, as the server learns it from answers; what that cuts short
/// is called once more with their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RightSized {
    /// Nobody's.
    #[default]
    Nobody,
    /// These tenants'.
    Of(BTreeSet<TenantId>),
    /// Everybody's.
    Everybody,
}

impl RightSized {
    /// Whether this tenant's are.
    pub fn has(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Nobody => false,
            Self::Of(tenants) => tenants.contains(tenant),
            Self::Everybody => true,
        }
    }
}

/// The lane and what stands behind it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The lane, the bands' and the tenants' weights.
    pub scheduler: SchedulerConfig,
    /// Whose answers teach how long answers are: one of the lane's models.
    pub model: ModelId,
    /// The upstream and its limiter.
    pub upstream: Upstream,
    /// Callers ask for no more max_tokens than this.
    pub most: Option<Tokens>,
    /// Whose requests are right-sized.
    pub right_sized: RightSized,
    /// Of the generator that spreads attempts after a throttle.
    pub seed: u64,
}

impl Setup {
    /// The model's own maximum of output tokens.
    pub fn model_most(&self) -> Tokens {
        Tokens::new(self.scheduler.lane.max_output_tokens)
    }

    /// The max_tokens of a job's caller.
    pub fn asked(&self, job: &Job) -> Tokens {
        let own = job.own_max(self.model_most());
        self.most.map_or(own, |most| own.min(most))
    }

    /// Tokens of quota that one output token costs.
    pub fn burndown(&self) -> u64 {
        self.scheduler.lane.output_burndown
    }

    /// The lane's quota.
    pub fn quota(&self) -> TokensPerMinute {
        self.scheduler.lane.tokens_per_minute
    }

    pub(crate) fn limiter(&self) -> Limiter {
        let lane = &self.scheduler.lane;
        let tokens = self.upstream.tokens_per_minute.unwrap_or(lane.tokens_per_minute);
        let requests = self.upstream.requests_per_minute.or(lane.requests_per_minute);
        Limiter::new(self.upstream.limiter, tokens, requests)
    }
}
