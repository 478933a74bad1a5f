//! What a workload is played against.

use crate::upstream::{Limiter, Upstream};
use crate::workload::Job;
use smoother_core::scheduler::SchedulerConfig;
use smoother_core::{ModelId, Tokens, TokensPerMinute};

/// Which max_tokens goes upstream, where it is not the caller's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizing {
    /// No more than this.
    pub most: Option<Tokens>,
    /// An answer that this cut short is asked for once more, with the caller's own value.
    pub reruns: bool,
}

impl Sizing {
    /// What a job's first call asks for at most.
    pub fn sent(&self, job: &Job, model_most: Tokens) -> Tokens {
        let own = job.own_max(model_most);
        self.most.map_or(own, |most| own.min(most))
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
    /// Which max_tokens goes upstream.
    pub sizing: Sizing,
    /// Of the generator that spreads attempts after a throttle.
    pub seed: u64,
}

impl Setup {
    /// The model's own maximum of output tokens.
    pub fn model_most(&self) -> Tokens {
        Tokens::new(self.scheduler.lane.max_output_tokens)
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
