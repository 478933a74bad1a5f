//! The JSON of one dead letter: its job, where its body lies, and in full what it has been through.

use crate::jobs::view::JobView;
use crate::rfc3339;
use serde::Serialize;
use smoother_core::ports::StateEvent;
use smoother_core::{Request, State, Timestamp};

/// A dead letter. The prompt is never in it: `body` says how to read it.
#[derive(Debug, Serialize)]
pub struct LetterView {
    #[serde(flatten)]
    job: JobView,
    body: BodyView,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<EventView>>,
}

/// Where the body lies, and how large it is.
#[derive(Debug, Serialize)]
struct BodyView {
    url: String,
    bytes: u64,
}

/// A change of the row, and the state it led to.
#[derive(Debug, Serialize)]
struct EventView {
    rev: u64,
    state: State,
    at: String,
}

impl LetterView {
    /// As a list shows it.
    pub fn of(row: &Request, now: Timestamp) -> Self {
        Self::with(JobView::of(row, now), row)
    }

    /// Of a job told in full.
    pub fn with(job: JobView, row: &Request) -> Self {
        Self {
            job,
            body: BodyView {
                url: format!("/v1/dlq/{}?body=true", row.id),
                bytes: row.body_bytes,
            },
            events: None,
        }
    }

    /// With the states it has passed.
    #[must_use]
    pub fn with_events(mut self, events: &[StateEvent]) -> Self {
        self.events = Some(events.iter().map(EventView::from).collect());
        self
    }
}

impl From<&StateEvent> for EventView {
    fn from(event: &StateEvent) -> Self {
        Self {
            rev: event.rev.get(),
            state: event.state,
            at: rfc3339::text(event.at),
        }
    }
}
