//! A job that lies somewhere else: `{"s3": {"bucket": "…", "key": "…"}}` in its place.

use crate::json::{self, Object};
use crate::refusal::Refusal;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::ports::{Pointer, PointerError, Pointers, StoreError};

/// Whether a text is a pointer at all.
#[derive(Deserialize)]
struct Look<'a> {
    #[serde(borrow)]
    s3: Option<&'a RawValue>,
}

/// A text that is one, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    s3: Object<Pointer>,
}

/// What a text points to, `most` bytes at the most; the text itself where it is no pointer.
pub(crate) async fn text(pointers: &dyn Pointers, text: Bytes, most: u64) -> Result<Bytes, Refusal> {
    let Some(pointer) = pointer(&text)? else {
        return Ok(text);
    };
    let read = pointers.read(&pointer, most).await;
    read.map_err(|error| match error {
        PointerError::Failed(_) => StoreError::Failed(error.to_string()).into(),
        PointerError::TooLarge { .. } | PointerError::Foreign { .. } | PointerError::Missing { .. } => {
            Refusal::invalid(error.to_string())
        }
    })
}

fn pointer(text: &[u8]) -> Result<Option<Pointer>, Refusal> {
    // What is no object at all is for the form's own reader to tell.
    let points = serde_json::from_slice::<Object<Look<'_>>>(text).is_ok_and(|look| look.s3.is_some());
    if !points {
        return Ok(None);
    }
    json::object::<Check>(json::text(text)?).map(|check| Some(check.s3.0))
}
