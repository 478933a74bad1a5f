//! Which lane serves a model.

use crate::refusal::{Refusal, quoted};
use smoother_core::config::{Config, LaneConfig};
use smoother_core::{LaneId, ModelId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Whether `name`, an inference profile's id or ARN, is one of the foundation model `model`: the profile's id puts
/// the geography before the model's.
fn is_profile_of(name: &str, model: &str) -> bool {
    let id = name.rsplit('/').next().unwrap_or(name);
    id.split_once('.').is_some_and(|(_, rest)| rest == model)
}

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

    /// The lane for a call on a model that costs no tokens. Bedrock counts tokens for foundation models and not for
    /// every inference profile, so the lane of a profile serves its foundation model here, too.
    pub(crate) fn find_free(&self, model: &str) -> Result<&Arc<LaneConfig>, Refusal> {
        let of_profile = || {
            let mut names: Vec<&String> = self
                .by_model
                .keys()
                .filter(|name| is_profile_of(name, model))
                .collect();
            names.sort_unstable();
            names.first().and_then(|name| self.by_model.get(*name))
        };
        match self.by_model.get(model).or_else(of_profile) {
            Some((_, lane)) => Ok(lane),
            None => self.find(model).map(|(_, lane)| lane),
        }
    }

    /// The lane whose account and Region a guardrail is called in: the one that was named; else the one that all
    /// lanes agree on, among those in the Region that the guardrail's ARN names.
    pub(crate) fn find_guardrail(
        &self,
        identifier: &str,
        named: Option<&str>,
    ) -> Result<Arc<LaneConfig>, Refusal> {
        let lanes = self.lanes();
        let listed = || {
            let names: Vec<&str> = lanes.keys().map(LaneId::as_str).collect();
            names.join(", ")
        };
        if let Some(named) = named {
            let lane = lanes.values().find(|lane| lane.id.as_str() == named);
            return lane.cloned().ok_or_else(|| {
                Refusal::invalid(format!(
                    "x-smoother-lane is {:?}; the lanes are {}.",
                    quoted(named),
                    listed()
                ))
            });
        }
        let region = identifier
            .strip_prefix("arn:")
            .and_then(|arn| arn.split(':').nth(2));
        let mut fitting = lanes
            .values()
            .filter(|lane| region.is_none_or(|region| lane.region == region));
        let Some(first) = fitting.next() else {
            return Err(Refusal::invalid(format!(
                "No lane is in the Region of guardrail {:?}; the lanes are {}.",
                quoted(identifier),
                listed()
            )));
        };
        let place = |lane: &LaneConfig| (lane.region.clone(), lane.endpoint.clone(), lane.role_arn.clone());
        if fitting.any(|lane| place(lane) != place(first)) {
            return Err(Refusal::invalid(format!(
                "The lanes lead to several accounts, Regions or endpoints; name the one whose guardrail is meant in \
                 the header x-smoother-lane: {}.",
                listed()
            )));
        }
        Ok(Arc::clone(first))
    }

    /// The lanes themselves.
    pub(crate) fn lanes(&self) -> BTreeMap<LaneId, Arc<LaneConfig>> {
        self.by_model
            .values()
            .map(|(_, lane)| (lane.id.clone(), Arc::clone(lane)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::lane;

    const SONNET: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

    fn routes(lanes: Vec<LaneConfig>) -> Routes {
        let mut config = crate::testbed::config();
        config.lanes = lanes.into_iter().map(|lane| (lane.id.clone(), lane)).collect();
        Routes::new(&config)
    }

    #[test]
    fn tokens_of_a_foundation_model_are_counted_in_its_profiles_lane() {
        let routes = routes(vec![
            lane("nova", "amazon.nova-lite-v1:0", 1_000),
            lane("sonnet", &format!("us.{SONNET}"), 1_000),
        ]);
        let found = |model: &str| routes.find_free(model).map(|lane| lane.id.to_string());
        assert_eq!(found(SONNET).unwrap(), "sonnet");
        assert_eq!(found(&format!("us.{SONNET}")).unwrap(), "sonnet");
        assert_eq!(found("amazon.nova-lite-v1:0").unwrap(), "nova");
        assert_eq!(found("claude-sonnet").unwrap_err().reason(), "unknown-model");
    }

    #[test]
    fn a_guardrail_is_called_where_it_is_and_never_by_guess() {
        let near = lane("near", "m1", 1_000);
        let mut also_near = lane("also-near", "m2", 1_000);
        let mut far = lane("far", "m3", 1_000);
        far.region = "eu-west-1".to_owned();
        let one = routes(vec![near.clone(), also_near.clone()]);
        assert_eq!(one.find_guardrail("g1", None).unwrap().region, "us-east-1");

        let two = routes(vec![near.clone(), far]);
        let said = two.find_guardrail("g1", None).unwrap_err().to_string();
        assert!(said.contains("x-smoother-lane: far, near"), "{said}");
        assert_eq!(two.find_guardrail("g1", Some("far")).unwrap().id.as_str(), "far");
        let arn = |region: &str| format!("arn:aws:bedrock:{region}:123456789012:guardrail/g1");
        assert_eq!(
            two.find_guardrail(&arn("eu-west-1"), None).unwrap().id.as_str(),
            "far"
        );
        assert!(two.find_guardrail(&arn("ap-south-1"), None).is_err());
        let said = two.find_guardrail("g1", Some("nope")).unwrap_err().to_string();
        assert!(said.contains("nope") && said.contains("far, near"), "{said}");

        also_near.role_arn = Some("arn:aws:iam::210987654321:role/other".to_owned());
        let accounts = routes(vec![near, also_near]);
        assert!(accounts.find_guardrail(&arn("us-east-1"), None).is_err());
    }
}
