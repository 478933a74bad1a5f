//! The table's stream as the outbox: which of its records tell that a request has ended.
//!
//! A record is handed over as a Lambda function or the stream's own API has it, in DynamoDB's JSON. A terminal state
//! is in the record of the very write that stored it, so none is without its record, and those of a row come in the
//! order of its versions.

use super::item::Item;
use super::keys;
use super::row::Row;
use crate::fault::Fault;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use smoother_core::ports::StoreError;
use smoother_core::{Request, RequestId, State};

/// The request whose end a record tells; `None` where it tells something else. `old` and `new` are the record's
/// images, an absent one null.
///
/// # Errors
/// [`StoreError::Damaged`] where the new image is a row's and does not read.
pub fn ended(old: &Value, new: &Value) -> Result<Option<Request>, StoreError> {
    let is_over = |image: &Value| state(image).is_some_and(State::is_terminal);
    // Beside a row's end its mark as a dead letter may be taken away: that ends nothing once more.
    if new["sk"]["S"] != keys::ROW || !is_over(new) || is_over(old) {
        return Ok(None);
    }
    let row = Row::read(&item(new)?)?;
    Ok(Some(row.request))
}

/// The request whose row a record is about, by the record's keys.
pub fn request_of(key: &Value) -> Option<RequestId> {
    let row = key["sk"]["S"] == keys::ROW;
    let id = key["pk"]["S"].as_str().filter(|_| row)?.strip_prefix("R#")?;
    id.parse().ok()
}

fn state(image: &Value) -> Option<State> {
    State::parse(image["state"]["S"].as_str()?)
}

/// An item out of DynamoDB's JSON.
fn item(image: &Value) -> Result<Item, Fault> {
    let attributes = image.as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| Ok((name.clone(), attribute(name, value)?)))
        .collect()
}

fn attribute(name: &str, value: &Value) -> Result<AttributeValue, Fault> {
    let odd = || {
        Fault::Damaged(format!(
            "attribute {name} of a stream's record is of a kind that no row has"
        ))
    };
    let (kind, value) = value
        .as_object()
        .and_then(|one| one.iter().next())
        .ok_or_else(odd)?;
    let text = value.as_str().ok_or_else(odd)?;
    match kind.as_str() {
        "S" => Ok(AttributeValue::S(text.to_owned())),
        "N" => Ok(AttributeValue::N(text.to_owned())),
        "B" => Ok(AttributeValue::B(Blob::new(
            STANDARD.decode(text).map_err(|_| odd())?,
        ))),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests;
