//! What is known of a model by its id, for lanes that do not say it.
//!
//! An id is `anthropic.claude-3-7-sonnet-20250219-v1:0`, the same behind a Region prefix (`us.`, `global.`), or an
//! ARN that ends in one. What an id does not show (an application profile's ARN, a model newer than this program)
//! is a setting of the lane.

use crate::ids::ModelId;

/// Tokens of quota an output token costs: 5 for Claude 3.7 and later, else 1.
///
/// Source: docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html.
pub fn burndown_of(model: &ModelId) -> u64 {
    match claude_version(model.as_str()) {
        Some(version) if version >= (3, 7) => 5,
        _ => 1,
    }
}

/// The model's own maximum of output tokens, by its family; 64,000 where that is unknown.
///
/// Source: the model cards of Anthropic, Amazon and Meta. Too high a number only reserves more.
pub fn max_output_of(model: &ModelId) -> u64 {
    let id = model.as_str();
    match claude_version(id) {
        Some((0..=2, _) | (3, 0)) => 4_096,
        Some((3, 5)) => 8_192,
        Some((4, 0 | 1)) if id.contains("claude-opus") => 32_000,
        Some(_) => 64_000,
        None if id.contains("amazon.nova") => 10_000,
        None if id.contains("amazon.titan") || id.contains("meta.llama") => 8_192,
        None => 64_000,
    }
}

/// Major and minor version of a Claude model: the first number after its name and the one behind that, unless it
/// is a date.
fn claude_version(id: &str) -> Option<(u32, u32)> {
    let (_, name) = id.rsplit_once("anthropic.claude-")?;
    let mut parts = name.split(['-', ':', '.']);
    let mut number = |part: &str| match part.strip_prefix('v').unwrap_or(part).parse::<u32>() {
        Ok(number) if number < 1_000 => Some(number),
        _ => None,
    };
    let major = parts
        .by_ref()
        .find_map(&mut number)
        .or_else(|| name.contains("instant").then_some(1))?;
    // In `claude-sonnet-4-20250514-v1:0` neither the date nor the revision behind it is a minor version.
    let minor = parts
        .next()
        .filter(|part| !part.starts_with('v'))
        .and_then(number);
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn burndown_and_maximum_follow_the_id() {
        let rows = [
            ("anthropic.claude-v2:1", 1, 4_096),
            ("anthropic.claude-instant-v1", 1, 4_096),
            ("anthropic.claude-3-haiku-20240307-v1:0", 1, 4_096),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", 1, 8_192),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", 5, 64_000),
            ("anthropic.claude-sonnet-4-20250514-v1:0", 5, 64_000),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", 5, 32_000),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 5, 64_000),
            ("global.anthropic.claude-haiku-4-5-20251001-v1:0", 5, 64_000),
            ("anthropic.claude-opus-4-7", 5, 64_000),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                5,
                64_000,
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
                1,
                64_000,
            ),
            ("us.amazon.nova-pro-v1:0", 1, 10_000),
            ("amazon.titan-text-express-v1", 1, 8_192),
            ("meta.llama3-1-70b-instruct-v1:0", 1, 8_192),
        ];
        for (id, burndown, most) in rows {
            let model = ModelId::new(id).unwrap();
            assert_eq!(
                (burndown_of(&model), max_output_of(&model)),
                (burndown, most),
                "{id}"
            );
        }
    }
}
