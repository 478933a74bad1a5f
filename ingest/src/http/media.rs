//! Content types.

use crate::refusal::Refusal;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use smoother_core::quoted;

/// Whether a body may come without a content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// It is taken for JSON.
    IsJson,
    /// It is refused.
    IsRefused,
}

/// What SDKs call a body whose content they do not know, where their caller names no type.
const UNTOLD: &str = "application/octet-stream";

/// Refuses what is not JSON.
pub(super) fn json(headers: &HeaderMap, unnamed: Unnamed) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return match unnamed {
            Unnamed::IsJson => Ok(()),
            Unnamed::IsRefused => Err(Refusal::MediaType { found: String::new() }),
        };
    };
    let text = value.to_str().unwrap_or_default();
    if essence(text).eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::MediaType { found: quoted(text) })
    }
}

/// The same for a body of the model's own, which Bedrock takes for JSON where nothing is said of it.
pub(super) fn of_model(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if said.is_some_and(|text| essence(text).eq_ignore_ascii_case(UNTOLD)) {
        return Ok(());
    }
    json(headers, Unnamed::IsJson)
}

/// The type without its parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}
