//! Which lane serves a model.

use crate::refusal::{Refusal, quoted};
use smoother_core::config::{Config, LaneConfig};
use smoother_core::{LaneId, ModelId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The lanes by the models that lead to them.
#[derive(Debug)]
pub(crate) struct Routes {
    by_model: HashMap<String, (ModelId, Arc<LaneConfig>)>,
    known: String,
}

impl Routes {
    /// Where two lanes name one model, the first by name serves it, as [`Config::lane_of`] has it.
    pub(crate) fn new(config: &Config) -> Self {
        let mut by_model = HashMap::new();
        let mut known = Vec::new();
        for lane in config.lanes.values() {
            let shared = Arc::new(lane.clone());
            for model in &lane.models {
                by_model
                    .entry(model.as_str().to_owned())
                    .or_insert_with(|| (model.clone(), Arc::clone(&shared)));
            }
            let models: Vec<&str> = lane.models.iter().map(ModelId::as_str).collect();
            known.push(format!("{} ({})", lane.id, models.join(", ")));
        }
        Self {
            by_model,
            known: known.join("; "),
        }
    }

    /// The model by its shared name, and its lane.
    pub(crate) fn find(&self, model: &str) -> Result<(&ModelId, &Arc<LaneConfig>), Refusal> {
        match self.by_model.get(model) {
            Some((id, lane)) => Ok((id, lane)),
            None => Err(Refusal::UnknownModel {
                model: quoted(model),
                known: self.known.clone(),
            }),
        }
    }

    /// The lanes themselves.
    pub(crate) fn lanes(&self) -> BTreeMap<LaneId, Arc<LaneConfig>> {
        self.by_model
            .values()
            .map(|(_, lane)| (lane.id.clone(), Arc::clone(lane)))
            .collect()
    }
}
