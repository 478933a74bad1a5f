//! What the simulator has seen, as `GET /stats` reports it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::quota::Refusal;
use crate::quota::cost::Usage;
use crate::script::SpanCounts;

/// Priorities that are told apart; marks come from prompts, so their number must have an end.
const MAX_PRIORITIES: usize = 64;

/// Counts of calls. Every call that could be read is either accepted, throttled or struck by a fault
/// before admission; every accepted one ends answered, failed, cut or aborted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls received, refused ones included.
    pub calls: u64,
    /// Calls refused by a ValidationException; nothing was charged.
    pub invalid: u64,
    /// Calls admitted.
    pub accepted: u64,
    /// Calls refused by a limit.
    pub throttled: Throttled,
    /// Injected faults by name, wherever they struck.
    pub faults: BTreeMap<String, u64>,
    /// Accepted calls answered to the end.
    pub answered: u64,
    /// Accepted calls answered by an error or an exception in the stream.
    pub failed: u64,
    /// Accepted calls whose connection the simulator cut.
    pub cut: u64,
    /// Accepted calls whose client went away.
    pub aborted: u64,
    /// Accepted calls not yet at their end.
    pub in_flight: u64,
    /// The most calls in flight at once.
    pub peak_in_flight: u64,
    /// Tokens reserved at admission, added up.
    pub reserved_tokens: u64,
    /// Tokens charged in the end (of settled calls): input + cache write + output × burndown.
    pub charged_tokens: u64,
    /// Input tokens of settled calls.
    pub input_tokens: u64,
    /// Tokens read from the prompt cache.
    pub cache_read_tokens: u64,
    /// Tokens written to the prompt cache.
    pub cache_write_tokens: u64,
    /// Output tokens of settled calls, as generated.
    pub output_tokens: u64,
}

/// Refusals by limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttled {
    /// Tokens per minute.
    pub tokens: u64,
    /// Requests per minute.
    pub requests: u64,
    /// Tokens per day.
    pub day: u64,
    /// Concurrency (503).
    pub concurrency: u64,
}

impl Throttled {
    /// All refusals.
    pub fn total(&self) -> u64 {
        self.tokens + self.requests + self.day + self.concurrency
    }
}

/// How an accepted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Answered to the end.
    Answered,
    /// Answered by an error or an exception in the stream.
    Failed,
    /// Cut by the simulator.
    Cut,
    /// Its client went away.
    Aborted,
}

impl Counts {
    fn accept(&mut self, reserved: u64) {
        self.calls += 1;
        self.accepted += 1;
        self.reserved_tokens += reserved;
        self.in_flight += 1;
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight);
    }

    pub(crate) fn strike(&mut self, fault: &str) {
        *self.faults.entry(fault.to_owned()).or_default() += 1;
    }

    pub(crate) fn throttle(&mut self, refusal: Refusal) {
        self.calls += 1;
        let throttled = &mut self.throttled;
        let count = match refusal {
            Refusal::Tokens => &mut throttled.tokens,
            Refusal::Requests => &mut throttled.requests,
            Refusal::Day => &mut throttled.day,
            Refusal::Concurrency => &mut throttled.concurrency,
        };
        *count += 1;
    }

    fn settle(&mut self, end: End, usage: Usage, charged: u64) {
        let count = match end {
            End::Answered => &mut self.answered,
            End::Failed => &mut self.failed,
            End::Cut => &mut self.cut,
            End::Aborted => &mut self.aborted,
        };
        *count += 1;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.charged_tokens += charged;
        self.input_tokens += usage.input;
        self.cache_read_tokens += usage.cache_read;
        self.cache_write_tokens += usage.cache_write;
        self.output_tokens += usage.output;
    }

    /// Zero, but for the calls still in flight.
    fn reset(&mut self) {
        let in_flight = self.in_flight;
        *self = Self {
            in_flight,
            peak_in_flight: in_flight,
            ..Self::default()
        };
    }
}

/// When calls came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Busy {
    first_admission: Option<Micros>,
    last_admission: Micros,
    last_completion: Micros,
}

impl Busy {
    fn admitted(&mut self, now: Micros) {
        self.first_admission.get_or_insert(now);
        self.last_admission = now;
    }

    fn span(&self, until: Micros) -> Micros {
        self.first_admission
            .map_or(Micros::ZERO, |first| until.since(first))
    }

    /// From the first admission to the last completion.
    pub(crate) fn whole(&self) -> Micros {
        self.span(self.last_completion)
    }

    /// From the first admission to the last one.
    pub(crate) fn admitting(&self) -> Micros {
        self.span(self.last_admission)
    }

    pub(crate) fn report(&self) -> BusyReport {
        BusyReport {
            first_admission_ms: self.first_admission.map(Micros::millis),
            last_admission_ms: self.first_admission.map(|_| self.last_admission.millis()),
            last_completion_ms: (self.last_completion > Micros::ZERO).then(|| self.last_completion.millis()),
            busy_ms: self.whole().millis(),
            admitting_ms: self.admitting().millis(),
        }
    }
}

/// When calls came and went, in milliseconds since the simulator's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyReport {
    /// The first admission.
    pub first_admission_ms: Option<u64>,
    /// The last admission.
    pub last_admission_ms: Option<u64>,
    /// The last settlement.
    pub last_completion_ms: Option<u64>,
    /// First admission to last settlement.
    pub busy_ms: u64,
    /// First admission to last admission.
    pub admitting_ms: u64,
}

/// Shares of the quota used over the busy time; above 1 by as much as the limiter lets a first burst
/// through. Nothing where there is no limit or no busy time yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Utilisation {
    /// Charged tokens ÷ (tokens per minute × busy minutes).
    pub tokens: Option<f64>,
    /// Accepted calls ÷ (requests per minute × busy minutes).
    pub requests: Option<f64>,
    /// The larger of the two: the limit that binds.
    pub binding: Option<f64>,
    /// As `tokens`, but over the time from the first to the last admission.
    pub tokens_while_admitting: Option<f64>,
}

impl Utilisation {
    pub(crate) fn of(
        counts: &Counts,
        busy: &Busy,
        tokens_per_minute: Option<u64>,
        requests_per_minute: Option<u64>,
    ) -> Self {
        let tokens = share(counts.charged_tokens, tokens_per_minute, busy.whole());
        let requests = share(counts.accepted, requests_per_minute, busy.whole());
        Self {
            tokens,
            requests,
            binding: tokens.into_iter().chain(requests).reduce(f64::max),
            tokens_while_admitting: share(counts.charged_tokens, tokens_per_minute, busy.admitting()),
        }
    }
}

fn share(used: u64, per_minute: Option<u64>, span: Micros) -> Option<f64> {
    // Counts below 2^53 are exact in a double.
    let available = per_minute? as f64 * span.0 as f64 / Micros::MINUTE.0 as f64;
    (available > 0.0).then(|| used as f64 / available)
}

/// Counts and busy time of one model, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) busy: Busy,
}

impl Tally {
    pub(crate) fn accept(&mut self, now: Micros, reserved: u64) {
        self.counts.accept(reserved);
        self.busy.admitted(now);
    }

    pub(crate) fn settle(&mut self, now: Micros, end: End, usage: Usage, charged: u64) {
        self.counts.settle(end, usage, charged);
        self.busy.last_completion = now;
    }

    pub(crate) fn reset(&mut self) {
        self.counts.reset();
        self.busy = Busy::default();
    }
}

/// All tallies: of everything, and by priority mark.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) total: Tally,
    pub(crate) by_priority: BTreeMap<String, Tally>,
}

impl Stats {
    fn priority(&mut self, name: Option<&str>) -> &mut Tally {
        let name = name.unwrap_or("none");
        let full = self.by_priority.len() >= MAX_PRIORITIES && !self.by_priority.contains_key(name);
        let name = if full { "other" } else { name };
        self.by_priority.entry(name.to_owned()).or_default()
    }

    /// Applies `count` to the total and to a priority.
    pub(crate) fn count(&mut self, priority: Option<&str>, count: impl Fn(&mut Counts)) {
        count(&mut self.total.counts);
        count(&mut self.priority(priority).counts);
    }

    pub(crate) fn accept(&mut self, now: Micros, priority: Option<&str>, reserved: u64) {
        self.total.accept(now, reserved);
        self.priority(priority).accept(now, reserved);
    }

    pub(crate) fn settle(
        &mut self,
        now: Micros,
        priority: Option<&str>,
        end: End,
        usage: Usage,
        charged: u64,
    ) {
        self.total.settle(now, end, usage, charged);
        self.priority(priority).settle(now, end, usage, charged);
    }

    pub(crate) fn reset(&mut self) {
        self.total.reset();
        self.by_priority.retain(|_, tally| tally.counts.in_flight > 0);
        self.by_priority.values_mut().for_each(Tally::reset);
    }
}

/// The answer of `GET /stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsReport {
    /// Milliseconds since the simulator's start.
    pub uptime_ms: u64,
    /// All calls together.
    #[serde(flatten)]
    pub total: Counts,
    /// When calls came and went.
    pub busy: BusyReport,
    /// Use of the quota, all limited models together.
    pub utilisation: Utilisation,
    /// By the mark `prio`; calls without one are under `none`.
    pub by_priority: BTreeMap<String, Counts>,
    /// By the model's id without an ARN around it, in all Regions together.
    pub models: BTreeMap<String, ModelReport>,
    /// By the script's span: what it has done, in this script and in those before it.
    pub spans: BTreeMap<String, SpanCounts>,
    /// By Region, and there by model: one quota each.
    pub regions: BTreeMap<String, BTreeMap<String, ModelReport>>,
}

/// One model, everywhere or in one Region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Its calls.
    #[serde(flatten)]
    pub counts: Counts,
    /// When its calls came and went.
    pub busy: BusyReport,
    /// Use of its quota.
    pub utilisation: Utilisation,
}
