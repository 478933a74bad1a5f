//! What a person who runs the server reads of requests that got no answer.

use smoother_core::ports::{BoxFuture, OutboxEntry};
use smoother_core::{Outcome, Request, State};
use smoother_results::{Notify, NotifyError};

/// Logs every request that failed or expired: which, where and what it was. Never the failure's message, which
/// may quote the prompt.
pub(crate) struct Logbook;

impl Notify for Logbook {
    fn name(&self) -> &'static str {
        "log"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        let row = &entry.request;
        match row.state {
            State::Failed => failed(row),
            State::Expired => {
                tracing::warn!(
                    request = %row.id, lane = %row.lane, priority = row.priority.as_str(), calls = row.calls_made,
                    "a request expired without an answer"
                );
            }
            _ => {}
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

fn failed(row: &Request) {
    let (status, exception) = match &row.outcome {
        Some(Outcome::Failure(failure)) => (failure.status, failure.exception.as_str()),
        _ => (0, "unknown"),
    };
    tracing::warn!(
        request = %row.id, lane = %row.lane, priority = row.priority.as_str(), calls = row.calls_made, status,
        exception, "a request failed"
    );
}
