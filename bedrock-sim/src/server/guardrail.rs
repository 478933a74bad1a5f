//! `POST /guardrail/{id}/version/{version}/apply`: a guardrail that lets everything pass.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::error::SimError;
use crate::object::Object;

/// Whether a path is ApplyGuardrail's.
pub(super) fn is_apply(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let fixed = segments.next() == Some("guardrail")
        && segments.next().is_some_and(|id| !id.is_empty())
        && segments.next() == Some("version")
        && segments.next().is_some_and(|version| !version.is_empty())
        && segments.next() == Some("apply");
    fixed && segments.next().is_none()
}

/// The answer: nothing intervened, with the units that the text would have cost.
///
/// # Errors
/// A body that is not ApplyGuardrail's.
pub(super) fn apply(body: &Bytes) -> Result<String, SimError> {
    #[derive(Deserialize)]
    struct Request {
        source: String,
        content: Vec<Object<Block>>,
    }
    #[derive(Deserialize)]
    struct Block {
        text: Option<Object<Text>>,
    }
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    let request: Object<Request> = serde_json::from_slice(body)
        .map_err(|error| SimError::validation(format!("Malformed input request: {error}")))?;
    if request.source != "INPUT" && request.source != "OUTPUT" {
        return Err(SimError::validation(format!(
            "1 validation error detected: Value '{}' at 'source' failed to satisfy constraint: Member must satisfy \
             enum value set: [INPUT, OUTPUT]",
            request.source
        )));
    }
    let texts = request.content.iter().filter_map(|block| block.text.as_ref());
    let chars: usize = texts.map(|text| text.text.chars().count()).sum();
    // A text unit is a thousand characters.
    let units = chars.div_ceil(1_000);
    Ok(json!({
        "usage": {
            "topicPolicyUnits": 0,
            "contentPolicyUnits": units,
            "wordPolicyUnits": 0,
            "sensitiveInformationPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": 0,
            "contextualGroundingPolicyUnits": 0,
        },
        "action": "NONE",
        "actionReason": "No action.",
        "outputs": [],
        "assessments": [{}],
        "guardrailCoverage": { "textCharacters": { "guarded": chars, "total": chars } },
    })
    .to_string())
}
