//! Which lane's account and Region serve an operation that costs no tokens.

use crate::refusal::Refusal;
use smoother_core::config::LaneConfig;
use smoother_core::{LaneId, quoted};
use std::collections::BTreeMap;
use std::sync::Arc;

type Lanes = BTreeMap<LaneId, Arc<LaneConfig>>;

/// The header that names a lane where nothing else tells.
pub(crate) const LANE: &str = "x-smoother-lane";

/// The lane in which a model's tokens are counted. Bedrock counts for foundation models and not for every inference
/// profile, so the lane of a profile serves its foundation model, too.
pub(crate) fn of_model(lanes: &Lanes, model: &str) -> Result<Arc<LaneConfig>, Refusal> {
    let serves = |fits: fn(&str, &str) -> bool| {
        lanes
            .values()
            .find(|lane| lane.models.iter().any(|id| fits(id.as_str(), model)))
    };
    serves(|id, model| id == model)
        .or_else(|| serves(is_profile_of))
        .cloned()
        .ok_or_else(|| Refusal::UnknownModel {
            model: quoted(model),
            known: listed(lanes),
        })
}

/// Whether `id`, an inference profile's or its ARN, is one of the foundation model `model`: the profile's id puts the
/// geography before the model's.
fn is_profile_of(id: &str, model: &str) -> bool {
    let id = id.rsplit('/').next().unwrap_or(id);
    id.split_once('.').is_some_and(|(_, rest)| rest == model)
}

/// The lane in whose account and Region a guardrail is called: the one that was named; else the one that all lanes
/// agree on, among those in the Region that the guardrail's ARN names.
pub(crate) fn of_guardrail(
    lanes: &Lanes,
    identifier: &str,
    named: Option<&str>,
) -> Result<Arc<LaneConfig>, Refusal> {
    if let Some(named) = named {
        let lane = lanes.values().find(|lane| lane.id.as_str() == named);
        return lane.cloned().ok_or_else(|| {
            let (named, known) = (quoted(named), listed(lanes));
            Refusal::invalid(format!("{LANE} is {named:?}; the lanes are {known}."))
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
            listed(lanes)
        )));
    };
    let place = |lane: &LaneConfig| (lane.region.clone(), lane.endpoint.clone(), lane.role_arn.clone());
    if fitting.any(|lane| place(lane) != place(first)) {
        return Err(Refusal::invalid(format!(
            "The lanes lead to several accounts, Regions or endpoints; name the one whose guardrail is meant in the \
             header {LANE}: {}.",
            listed(lanes)
        )));
    }
    Ok(Arc::clone(first))
}

fn listed(lanes: &Lanes) -> String {
    let with_models = |lane: &Arc<LaneConfig>| {
        let models: Vec<&str> = lane.models.iter().map(|model| model.as_str()).collect();
        format!("{} ({})", lane.id, models.join(", "))
    };
    lanes.values().map(with_models).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::lane;

    const SONNET: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

    fn lanes(all: Vec<LaneConfig>) -> Lanes {
        all.into_iter()
            .map(|lane| (lane.id.clone(), Arc::new(lane)))
            .collect()
    }

    #[test]
    fn tokens_of_a_foundation_model_are_counted_in_its_profiles_lane() {
        let lanes = lanes(vec![
            lane("nova", "amazon.nova-lite-v1:0", 1_000),
            lane("sonnet", &format!("us.{SONNET}"), 1_000),
        ]);
        let found = |model: &str| of_model(&lanes, model).map(|lane| lane.id.to_string());
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
        let one = lanes(vec![near.clone(), also_near.clone()]);
        assert_eq!(of_guardrail(&one, "g1", None).unwrap().region, "us-east-1");

        let two = lanes(vec![near.clone(), far]);
        let said = of_guardrail(&two, "g1", None).unwrap_err().to_string();
        assert!(said.contains("x-smoother-lane: far (m3); near (m1)"), "{said}");
        let found =
            |identifier: &str, named| of_guardrail(&two, identifier, named).map(|lane| lane.id.to_string());
        assert_eq!(found("g1", Some("far")).unwrap(), "far");
        let arn = |region: &str| format!("arn:aws:bedrock:{region}:123456789012:guardrail/g1");
        assert_eq!(found(&arn("eu-west-1"), None).unwrap(), "far");
        assert!(found(&arn("ap-south-1"), None).is_err());
        let said = found("g1", Some("nope")).unwrap_err().to_string();
        assert!(
            said.contains("nope") && said.contains("far (m3); near (m1)"),
            "{said}"
        );

        also_near.role_arn = Some("arn:aws:iam::210987654321:role/other".to_owned());
        let accounts = lanes(vec![near, also_near]);
        assert!(of_guardrail(&accounts, &arn("us-east-1"), None).is_err());
    }
}
