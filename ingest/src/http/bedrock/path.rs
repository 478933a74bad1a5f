//! Which model and operation a path names.
//!
//! Clients send ids percent-encoded (boto3: `…-v1%3A0`) or not (anthropic: `…-v1:0`), and ARNs hold slashes that
//! some encode and some do not. So the raw path is split at its last slash, and what is before it is decoded.

use crate::refusal::Refusal;
use percent_encoding::percent_decode_str;
use smoother_core::{Operation, quoted};

/// A parsed path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) model: String,
    pub(super) asked: Asked,
}

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A call of the lane's quota.
    Operation(Operation),
    /// What its input comes to.
    CountTokens,
}

/// A guardrail, by id or ARN, and its version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guardrail {
    pub(super) identifier: String,
    pub(super) version: String,
}

/// Reads a raw path, `/guardrail/{identifier}/version/{version}/apply`; an ARN's slash may be encoded or not.
pub(super) fn guardrail(path: &str) -> Result<Guardrail, Refusal> {
    let unknown = || Refusal::UnknownOperation(quoted(path));
    let rest = path
        .strip_prefix("/guardrail/")
        .and_then(|rest| rest.strip_suffix("/apply"));
    let (identifier, version) = rest
        .and_then(|rest| rest.rsplit_once("/version/"))
        .ok_or_else(unknown)?;
    let (identifier, version) = (decoded(identifier, "guardrail")?, decoded(version, "version")?);
    if identifier.is_empty() || version.is_empty() {
        return Err(unknown());
    }
    Ok(Guardrail { identifier, version })
}

fn decoded(part: &str, what: &str) -> Result<String, Refusal> {
    let text = percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| Refusal::invalid(format!("The {what} in the path is not UTF-8 once decoded.")))?;
    Ok(text.into_owned())
}

/// Reads a raw path, `/model/{id}/{operation}`.
pub(super) fn parse(path: &str) -> Result<Target, Refusal> {
    let unknown = || Refusal::UnknownOperation(quoted(path));
    let rest = path.strip_prefix("/model/").ok_or_else(unknown)?;
    let (id, operation) = rest.rsplit_once('/').ok_or_else(unknown)?;
    let asked = match operation {
        "count-tokens" => Asked::CountTokens,
        word => Asked::Operation(Operation::parse(word).ok_or_else(unknown)?),
    };
    let model = decoded(id, "model id")?;
    if model.is_empty() {
        return Err(unknown());
    }
    Ok(Target { model, asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(path: &str) -> String {
        parse(path).unwrap().model
    }

    #[test]
    fn ids_may_be_encoded_or_not() {
        let id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        assert_eq!(
            model("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
            id
        );
        assert_eq!(
            model("/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse"),
            id
        );
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
        assert_eq!(model(&format!("/model/{arn}/invoke")), arn);
        let encoded = arn.replace(':', "%3A").replace('/', "%2F");
        assert_eq!(
            model(&format!("/model/{encoded}/invoke-with-response-stream")),
            arn
        );
    }

    #[test]
    fn tokens_are_counted_for_a_model() {
        let target = parse("/model/m/count-tokens").unwrap();
        assert_eq!((target.model.as_str(), target.asked), ("m", Asked::CountTokens));
    }

    #[test]
    fn guardrails_have_a_version() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc";
        for written in [arn.to_owned(), arn.replace(':', "%3A").replace('/', "%2F")] {
            let found = guardrail(&format!("/guardrail/{written}/version/DRAFT/apply")).unwrap();
            assert_eq!(
                (found.identifier.as_str(), found.version.as_str()),
                (arn, "DRAFT")
            );
        }
        for bad in [
            "/guardrail/abc/version/1",
            "/guardrail/abc/apply",
            "/guardrail//version/1/apply",
            "/guardrail/abc/version//apply",
        ] {
            assert_eq!(guardrail(bad).unwrap_err().reason(), "unknown-operation", "{bad}");
        }
    }

    #[test]
    fn other_paths_are_no_operations() {
        for bad in [
            "/model/x",
            "/model//converse",
            "/model/x/embed",
            "/model/x/converse/",
            "/models/x/converse",
        ] {
            assert_eq!(parse(bad).unwrap_err().reason(), "unknown-operation", "{bad}");
        }
        assert_eq!(parse("/model/%ff/converse").unwrap_err().status(), 400);
    }
}
