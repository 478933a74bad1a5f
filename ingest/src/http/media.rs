//! Content types.

use crate::refusal::{Refusal, quoted};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Whether a body may come without a content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// It is taken for JSON.
    IsJson,
    /// It is refused.
    IsRefused,
}

/// Refuses what is not JSON.
pub(super) fn json(headers: &HeaderMap, unnamed: Unnamed) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return match unnamed {
            Unnamed::IsJson => Ok(()),
            Unnamed::IsRefused => Err(Refusal::MediaType { found: String::new() }),
        };
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::MediaType { found: quoted(text) })
    }
}
