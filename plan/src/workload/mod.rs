//! What is to be served: requests with their times and sizes.

mod assign;
mod bands;

pub use assign::Assign;
pub use bands::{BandShares, PerBand};

use smoother_core::{Millis, Priority, TenantId, Timestamp, Tokens};

/// Where time begins for rows that have no date: 2026-01-05T12:00:07Z, not on a minute.
pub(crate) const ORIGIN: Timestamp = Timestamp::from_millis(1_767_614_407_000);

/// A request as a trace or a mix tells it: what is `None` is still to be assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When it came.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: Option<TenantId>,
    /// Its band.
    pub priority: Option<Priority>,
    /// Input tokens.
    pub input: Tokens,
    /// Output tokens that the model gave, or would give if it may.
    pub output: Tokens,
    /// The max_tokens of its caller.
    pub max_tokens: Option<Tokens>,
    /// It has to be completed so long after it came.
    pub timeout: Option<Millis>,
}

/// A request with everything that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// When it comes.
    pub arrived: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its band.
    pub priority: Priority,
    /// Input tokens.
    pub input: Tokens,
    /// Output tokens the model gives if it may.
    pub output: Tokens,
    /// The max_tokens of its caller; `None` reserves the model's maximum.
    pub max_tokens: Option<Tokens>,
    /// It expires then.
    pub deadline: Option<Timestamp>,
}

impl Job {
    /// The max_tokens that counts where the model's maximum is `most`.
    pub fn own_max(&self, most: Tokens) -> Tokens {
        self.max_tokens.unwrap_or(most)
    }

    /// What a call with this max_tokens costs in the end.
    pub fn cost(&self, max_tokens: Tokens, burndown: u64) -> Tokens {
        self.input + self.output.min(max_tokens).times(burndown)
    }
}

/// What a workload asks of a quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Tokens of quota it costs in the end.
    pub tokens: Tokens,
    /// From the first arrival to the last, at least a second.
    pub span: Millis,
    /// The most of it that arrives in one minute of the clock of its beginning.
    pub peak: Tokens,
}

impl Demand {
    /// Tokens a minute on average.
    pub fn a_minute(&self) -> u64 {
        let tokens = u128::from(self.tokens.get()) * 60_000 / u128::from(self.span.get().max(1));
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

/// Requests in the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// What it is called in a report.
    pub name: String,
    /// What was assigned or drawn, and how, in sentences.
    pub notes: Vec<String>,
    jobs: Vec<Job>,
}

impl Workload {
    /// The jobs of a workload; they are put in order of arrival.
    pub fn new(name: String, notes: Vec<String>, mut jobs: Vec<Job>) -> Self {
        jobs.sort_by_key(|job| job.arrived);
        Self { name, notes, jobs }
    }

    /// In order of arrival.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// When the first one comes.
    pub fn begins(&self) -> Timestamp {
        self.jobs.first().map_or(ORIGIN, |job| job.arrived)
    }

    /// What it costs where output burns down at `burndown` and the model's maximum is `most`.
    pub fn demand(&self, burndown: u64, most: Tokens) -> Demand {
        let begins = self.begins();
        let ends = self.jobs.last().map_or(begins, |job| job.arrived);
        let mut demand = Demand {
            span: ends.since(begins).max(Millis::from_secs(1)),
            ..Demand::default()
        };
        let (mut minute, mut in_minute) = (0, Tokens::ZERO);
        for job in &self.jobs {
            let cost = job.cost(job.own_max(most), burndown);
            let at = job.arrived.since(begins).get() / 60_000;
            if at != minute {
                (minute, in_minute) = (at, Tokens::ZERO);
            }
            in_minute += cost;
            demand.peak = demand.peak.max(in_minute);
            demand.tokens += cost;
        }
        demand
    }

    /// The output tokens below which `percent` of the answers stay.
    pub fn output_quantile(&self, percent: f64) -> Tokens {
        let mut outputs: Vec<Tokens> = self.jobs.iter().map(|job| job.output).collect();
        outputs.sort_unstable();
        crate::report::quantile(&outputs, percent).unwrap_or(Tokens::ZERO)
    }
}
