//! Ended requests teach the way in what requests cost, and what it has learned of outputs is kept.

use smoother_core::ports::{BoxFuture, OutboxEntry};
use smoother_embedded::SqliteStore;
use smoother_ingest::Ingest;
use smoother_results::{Notify, NotifyError};
use std::sync::Arc;

/// Hands what Bedrock counted to the estimator at the door.
pub(crate) struct Learning {
    ingest: Arc<Ingest>,
    store: Arc<SqliteStore>,
}

impl Learning {
    pub(crate) fn new(ingest: Arc<Ingest>, store: Arc<SqliteStore>) -> Self {
        Self { ingest, store }
    }
}

impl Notify for Learning {
    fn name(&self) -> &'static str {
        "estimate"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        let learned = self.ingest.ended(&entry.request);
        if !learned.is_empty() {
            // What a full disk does not take is learned again: nobody waits for it.
            drop(self.store.keep_outputs(learned));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
