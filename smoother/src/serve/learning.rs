//! Ended requests teach the way in what requests cost.

use smoother_core::Outcome;
use smoother_core::ports::{BoxFuture, OutboxEntry};
use smoother_ingest::Ingest;
use smoother_results::{Notify, NotifyError};
use std::sync::Arc;

/// Hands what Bedrock counted to the estimator at the door.
pub(crate) struct Learning(Arc<Ingest>);

impl Learning {
    pub(crate) fn new(ingest: Arc<Ingest>) -> Self {
        Self(ingest)
    }
}

impl Notify for Learning {
    fn name(&self) -> &'static str {
        "estimate"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        if let Some(Outcome::Answer {
            usage: Some(usage), ..
        }) = &entry.request.outcome
        {
            self.0.learn(&entry.request, usage);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
