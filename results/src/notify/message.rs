//! The message of an end.
//!
//! ```json
//! {"type": "ended", "event_id": "0190…:7", "job": {"id": "0190…", "status": "COMPLETED", …}, "result": {…}}
//! ```
//! `job` is what `GET /v1/jobs/{id}` answers, without its calls. The event's id is the row's version, which rises with
//! every change, so an end after a redrive is another event. What the result looks like depends on what it is:
//!
//! | the result | in the message |
//! |---|---|
//! | JSON, at most 4 KB | `result`, as it is |
//! | anything else, at most 4 KB (a stream's frames) | `result_base64` |
//! | larger | neither; `result_at` says where it lies, where that is a place of its own |
//!
//! `job.result_url` leads to it in every case.

use crate::jobs::view::JobView;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use smoother_core::ports::{Message, Pointer};
use smoother_core::{Door, Outcome, Request, Timestamp};

/// The largest result that travels inside a message, in bytes.
pub(super) const MOST_INLINE: u64 = 4 * 1024;

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    event_id: String,
    job: JobView,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_at: Option<Place>,
}

#[derive(Serialize)]
struct Place {
    s3: Pointer,
}

/// Whether a request has a result.
pub(super) const fn is_answered(row: &Request) -> bool {
    matches!(row.outcome, Some(Outcome::Answer { .. }))
}

/// Whether a request has a result that may travel inside its message.
pub(super) fn is_small(row: &Request) -> bool {
    matches!(&row.outcome, Some(Outcome::Answer { bytes, .. }) if *bytes <= MOST_INLINE)
}

/// The message of this end, with the result where it is at hand and where else it lies.
///
/// # Errors
/// None in practice: everything in it can be written as JSON.
pub(super) fn of(
    row: &Request,
    result: Option<&Bytes>,
    place: Option<Pointer>,
    now: Timestamp,
) -> Result<Message, serde_json::Error> {
    let json = result.and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    let other = result.filter(|_| json.is_none());
    let event_id = format!("{}:{}", row.id, row.rev.get());
    let body = serde_json::to_string(&Event {
        kind: "ended",
        event_id: event_id.clone(),
        job: JobView::of(row, now),
        result: json,
        result_base64: other.map(|bytes| STANDARD.encode(bytes)),
        result_at: place.map(|s3| Place { s3 }),
    })?;
    Ok(Message {
        body,
        attributes: attributes(row, event_id),
    })
}

/// What a subscription may filter by.
fn attributes(row: &Request, event_id: String) -> Vec<(String, String)> {
    let door = match row.door {
        Door::Sync => "sync",
        Door::Job => "job",
    };
    [
        ("EventId", event_id),
        ("Status", row.state.public().to_owned()),
        ("Tenant", row.tenant.to_string()),
        ("Lane", row.lane.to_string()),
        ("Priority", row.priority.as_str().to_owned()),
        ("Door", door.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
