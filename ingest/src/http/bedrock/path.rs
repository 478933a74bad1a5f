//! Which model and operation a path names.
//!
//! Clients send ids percent-encoded (boto3: `…-v1%3A0`) or not (anthropic: `…-v1:0`), and ARNs hold slashes that
//! some encode and some do not. So the raw path is split at its last slash, and what is before it is decoded.

use crate::refusal::{Refusal, quoted};
use percent_encoding::percent_decode_str;
use smoother_core::Operation;

/// A parsed path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) model: String,
    pub(super) operation: Operation,
}

/// Reads a raw path, `/model/{id}/{operation}`.
pub(super) fn parse(path: &str) -> Result<Target, Refusal> {
    let unknown = || Refusal::UnknownOperation(quoted(path));
    let rest = path.strip_prefix("/model/").ok_or_else(unknown)?;
    let (id, operation) = rest.rsplit_once('/').ok_or_else(unknown)?;
    let operation = Operation::parse(operation).ok_or_else(unknown)?;
    let model = percent_decode_str(id)
        .decode_utf8()
        .map_err(|_| Refusal::invalid("The model id in the path is not UTF-8 once decoded."))?;
    if model.is_empty() {
        return Err(unknown());
    }
    Ok(Target {
        model: model.into_owned(),
        operation,
    })
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
