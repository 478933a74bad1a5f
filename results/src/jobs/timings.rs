//! How long a job's stages took, or have taken so far.

use serde::Serialize;
use smoother_core::{Millis, Request, Timestamp};

/// Milliseconds; a stage that has not begun is absent, one under way is measured up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timings {
    /// From arrival to the start of the last call, or to the end where no call started.
    #[serde(rename = "queued_ms")]
    queued: Millis,
    /// From the start of the last call.
    #[serde(rename = "running_ms", skip_serializing_if = "Option::is_none")]
    running: Option<Millis>,
    /// From the start of the last call to the first generated content.
    #[serde(rename = "first_output_ms", skip_serializing_if = "Option::is_none")]
    first_output: Option<Millis>,
    /// From arrival to the end.
    #[serde(rename = "total_ms")]
    total: Millis,
}

impl Timings {
    /// Of `row`, as seen at `now`.
    pub fn of(row: &Request, now: Timestamp) -> Self {
        let until = row.ended_at.unwrap_or(now);
        // A job that waits again after a throttle has an old start, which says nothing about the next one.
        let started = row.started_at.filter(|_| !waits(row));
        Self {
            queued: started.unwrap_or(until).since(row.arrived_at),
            running: started.map(|at| until.since(at)),
            first_output: row
                .first_output_at
                .and_then(|first| started.map(|at| first.since(at))),
            total: until.since(row.arrived_at),
        }
    }
}

/// Whether the job stands in its lane's line.
pub fn waits(row: &Request) -> bool {
    use smoother_core::State::{Queued, Received, Released};
    matches!(row.state, Received | Queued | Released)
}
