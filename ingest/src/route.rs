//! Which lanes serve a model.

use crate::refusal::Refusal;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::{LaneId, ModelId, quoted};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The lanes by the models that lead to them.
#[derive(Debug)]
pub(crate) struct Routes {
    by_model: HashMap<String, Route>,
    lanes: BTreeMap<LaneId, Arc<LaneConfig>>,
    known: String,
}

/// A model by its shared name, and the lanes over which its calls are spread; at least one.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) model: ModelId,
    pub(crate) lanes: Vec<Arc<LaneConfig>>,
}

impl Routes {
    pub(crate) fn new(config: &Config) -> Self {
        let shared = |lane: &LaneConfig| (lane.id.clone(), Arc::new(lane.clone()));
        let lanes: BTreeMap<LaneId, Arc<LaneConfig>> = config.lanes.values().map(shared).collect();
        let mut by_model: HashMap<String, Route> = HashMap::new();
        let mut known = Vec::new();
        for lane in lanes.values().filter(|lane| !lane.fallback.standby) {
            for model in &lane.models {
                let route = by_model
                    .entry(model.as_str().to_owned())
                    .or_insert_with(|| Route {
                        model: model.clone(),
                        lanes: Vec::new(),
                    });
                route.lanes.push(Arc::clone(lane));
            }
            let models: Vec<&str> = lane.models.iter().map(ModelId::as_str).collect();
            known.push(format!("{} ({})", lane.id, models.join(", ")));
        }
        Self {
            by_model,
            lanes,
            known: known.join("; "),
        }
    }

    /// Where a model's calls may wait.
    pub(crate) fn find(&self, model: &str) -> Result<&Route, Refusal> {
        self.by_model.get(model).ok_or_else(|| Refusal::UnknownModel {
            model: quoted(model),
            known: self.known.clone(),
        })
    }

    /// The names of all lanes, for those who named none of them.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.lanes.keys().map(LaneId::as_str).collect();
        names.join(", ")
    }

    /// Every lane, standby ones too.
    pub(crate) fn lanes(&self) -> &BTreeMap<LaneId, Arc<LaneConfig>> {
        &self.lanes
    }
}
