//! The estimate of a request's cost, and what settled calls have taught about it.

use crate::body::Facts;
use metrics::histogram;
use smoother_core::config::LaneConfig;
use smoother_core::estimate::{Answered, Answers, Corrector, ErrorStats, OutputKey, Outputs};
use smoother_core::metrics::ESTIMATE_ERROR;
use smoother_core::{Estimate, ModelId, Request, TenantId, Timestamp, Tokens, Usage};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is to be kept of each key; `None` where it is to be kept no longer.
type Kept = Vec<(OutputKey, Option<Answers>)>;
/// Keys of which it is remembered when they were read; beyond them all are read again.
const MOST_READ: usize = 20_000;

/// Learned state, shared by all doors of a process.
#[derive(Debug, Default)]
pub(crate) struct Learned(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    inputs: Corrector,
    outputs: Outputs,
    /// When the outputs of a key were read from where all processes see them.
    read: HashMap<OutputKey, Timestamp>,
}

impl Learned {
    /// What a request is expected to cost.
    pub(crate) fn estimate(
        &self,
        model: &ModelId,
        tenant: &TenantId,
        facts: &Facts,
        lane: &LaneConfig,
    ) -> Estimate {
        let max_output = max_output(facts, lane);
        let state = self.state();
        let input = state.inputs.correct(model, facts.meter.tokens());
        let expected = state.outputs.expected(model, tenant, max_output);
        drop(state);
        // What was learned may make a request wait for more room, but never rule it out.
        let room = lane.tokens_per_minute.get().saturating_sub(input.get()) / lane.output_burndown.max(1);
        Estimate {
            input,
            max_output,
            expected_output: expected.min(Tokens::new(room)),
        }
    }

    /// The same request's cost with the max_tokens that nearly all answers of its like need, if that is smaller.
    pub(crate) fn right_sized(&self, model: &ModelId, tenant: &TenantId, own: &Estimate) -> Option<Estimate> {
        let max_output = self.state().outputs.right_size(model, tenant, own.max_output)?;
        Some(Estimate {
            max_output,
            expected_output: own.expected_output.min(max_output),
            ..*own
        })
    }

    /// Whether enough is known of the answers to this request's like to say what they need, if only that it is what
    /// their caller allows.
    pub(crate) fn knows_enough_of(&self, request: &Request) -> bool {
        let (model, tenant) = (request.model_to_call(), &request.tenant);
        self.state()
            .outputs
            .knows_enough(model, tenant, request.own_max_output())
    }

    /// Learns from a call that gave a whole answer; gives what is to be kept now.
    pub(crate) fn learn(&self, request: &Request, usage: &Usage, now: Timestamp) -> Kept {
        note_error(request, usage);
        let mut state = self.state();
        state.inputs.observe(
            request.model_to_call(),
            request.estimate.input,
            request.arrived_at,
            usage.whole_input(),
            now,
        );
        state.outputs.observe(&answered(request, usage), now);
        state.outputs.to_keep(false)
    }

    /// Everything that was learned of outputs and is not kept yet.
    pub(crate) fn to_keep(&self) -> Kept {
        self.state().outputs.to_keep(true)
    }

    /// Takes up what an earlier process has learned of outputs.
    pub(crate) fn restore(&self, kept: Vec<(OutputKey, Answers)>) {
        self.state().outputs.restore(kept);
    }

    /// Those of these keys that are to be read again from where all processes see them.
    pub(crate) fn stale(&self, keys: impl IntoIterator<Item = OutputKey>, now: Timestamp) -> Vec<OutputKey> {
        let state = self.state();
        let is_stale = |key: &OutputKey| {
            let read_at = state.read.get(key);
            read_at.is_none_or(|at| now.since(*at) >= state.outputs.serves_for(key))
        };
        keys.into_iter().filter(is_stale).collect()
    }

    /// Takes up what was read of `asked`, whether or not anything is known of each.
    pub(crate) fn take_up(&self, asked: Vec<OutputKey>, read: &[(OutputKey, Answers)], now: Timestamp) {
        let mut state = self.state();
        if state.read.len() + asked.len() > MOST_READ {
            state.read.clear();
        }
        state.read.extend(asked.into_iter().map(|key| (key, now)));
        for (key, answers) in read {
            state.outputs.set(key.clone(), answers);
        }
    }

    pub(crate) fn errors(&self) -> ErrorStats {
        self.state().inputs.errors()
    }

    /// Every update leaves the state whole, so a panic elsewhere does not make it unusable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request allows: its own value, or the model's maximum where it has none.
pub(crate) fn max_output(facts: &Facts, lane: &LaneConfig) -> Tokens {
    match facts.max_output {
        _ if facts.no_output => Tokens::ZERO,
        Some(asked) => Tokens::new(asked),
        None => Tokens::new(lane.max_output_tokens),
    }
}

/// The whole answer to a request of which Bedrock counted so much.
pub(crate) fn answered<'a>(request: &'a Request, usage: &Usage) -> Answered<'a> {
    Answered {
        model: request.model_to_call(),
        tenant: &request.tenant,
        max_output: request.own_max_output(),
        output: usage.output,
        cut_short: (request.is_right_sized() || request.is_rerun()).then(|| request.is_rerun()),
    }
}

/// Counts how far the estimate of a request's input was from what Bedrock counted.
pub(crate) fn note_error(request: &Request, usage: &Usage) {
    let (input, counted) = (request.estimate.input, usage.whole_input());
    if counted > Tokens::ZERO {
        let ratio = input.get().abs_diff(counted.get()) as f64 / counted.get() as f64;
        histogram!(ESTIMATE_ERROR, "lane" => request.lane.to_string()).record(ratio);
    }
}
