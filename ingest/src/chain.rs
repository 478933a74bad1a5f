//! Where a request goes on when its lane cannot serve it, worked out once, when it is accepted: the other lanes of
//! its model, then those that its caller or its lane's configuration names, last the configured text.
//!
//! Left out is whatever could not serve it: a lane it would never fit, and for InvokeModel, whose bodies are the
//! model's own, a model of another family.

use crate::body::{self, Facts};
use crate::ingest::Ingest;
use crate::refusal::Refusal;
use crate::route::{Route, Routes};
use crate::submission::Submission;
use smoother_core::config::LaneConfig;
use smoother_core::ledger::fits;
use smoother_core::{Hop, LaneId, ModelId, quoted};
use std::sync::Arc;

/// The most lanes that a caller may name.
const MOST_LANES: usize = 8;

/// The model that is called in `lane` for a caller who named `named`.
pub(crate) fn model_in<'a>(lane: &'a LaneConfig, named: &'a ModelId) -> &'a ModelId {
    match &lane.fallback.call_model {
        Some(always) => always,
        None if lane.models.contains(named) => named,
        None => lane.models.first().unwrap_or(named),
    }
}

/// The lanes after a request's first one.
pub(crate) struct Ahead<'a> {
    pub(crate) lanes: Vec<&'a Arc<LaneConfig>>,
    /// Its caller named them.
    own_choice: bool,
}

/// Where a request that waits in `lane` first may go on.
pub(crate) fn ahead<'a>(
    from: &Submission,
    routes: &'a Routes,
    (route, lane): (&'a Route, &LaneConfig),
) -> Result<Ahead<'a>, Refusal> {
    let asked = from.fallback.as_deref();
    let asked = asked.map(|names| named(routes, names)).transpose()?;
    let own_choice = asked.is_some();
    let named: Vec<&Arc<LaneConfig>> = match asked {
        Some(lanes) => lanes,
        None => {
            let configured = lane.fallback.lanes.iter();
            let configured = configured.filter_map(|id| routes.lanes().get(id));
            route.lanes.iter().chain(configured).collect()
        }
    };
    let mut lanes: Vec<&Arc<LaneConfig>> = Vec::new();
    for next in named {
        if next.id != lane.id && !lanes.iter().any(|seen| seen.id == next.id) {
            lanes.push(next);
        }
    }
    Ok(Ahead { lanes, own_choice })
}

impl Ingest {
    /// The chain of a request that waits in `lane` first; `may_be_sized` where a smaller max_tokens may go upstream.
    pub(crate) fn chain(
        &self,
        from: &Submission,
        ahead: &Ahead<'_>,
        (route, lane): (&Route, &LaneConfig),
        facts: &Facts,
        may_be_sized: bool,
    ) -> Vec<Hop> {
        let hop = |next: &&Arc<LaneConfig>| self.hop(from, route, next, facts, may_be_sized);
        let mut chain: Vec<Hop> = ahead.lanes.iter().filter_map(hop).collect();
        if let (Some(text), Some(form), false) =
            (&lane.fallback.degraded_answer, facts.form, ahead.own_choice)
        {
            chain.push(Hop::Answer {
                text: text.clone(),
                form,
            });
        }
        chain
    }

    fn hop(
        &self,
        from: &Submission,
        route: &Route,
        lane: &LaneConfig,
        facts: &Facts,
        may_be_sized: bool,
    ) -> Option<Hop> {
        let model = model_in(lane, &route.model);
        let understood = from.operation.is_converse() || body::speaks(model.as_str(), facts.form);
        let allowed = facts
            .max_output
            .is_none_or(|asked| asked <= lane.max_output_tokens);
        let estimate = self.learned.estimate(model, &from.tenant, facts, lane);
        let fits = fits(lane, estimate.reserve(lane.output_burndown)).is_ok();
        let sized = || self.learned.right_sized(model, &from.tenant, &estimate);
        (understood && allowed && fits).then(|| {
            let sized = may_be_sized.then(sized).flatten();
            Hop::Lane {
                lane: lane.id.clone(),
                model: model.clone(),
                estimate: sized.unwrap_or(estimate),
                own_output: sized.map(|_| estimate.max_output),
            }
        })
    }
}

fn named<'a>(routes: &'a Routes, names: &[String]) -> Result<Vec<&'a Arc<LaneConfig>>, Refusal> {
    if names.len() > MOST_LANES {
        return Err(Refusal::invalid(format!(
            "fallback names {} lanes; it may name {MOST_LANES}.",
            names.len()
        )));
    }
    let lanes = routes.lanes();
    let find = |name: &String| {
        lanes
            .values()
            .find(|lane| lane.id.as_str() == name)
            .ok_or_else(|| {
                let known: Vec<&str> = lanes.keys().map(LaneId::as_str).collect();
                Refusal::invalid(format!(
                    "fallback names the lane {:?}, which is not configured; the lanes are {}.",
                    quoted(name),
                    known.join(", ")
                ))
            })
    };
    names.iter().map(find).collect()
}
