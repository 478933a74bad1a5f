//! The outbox where ends are pushed: the table's stream hands them to a function, and nobody reads them here.

use smoother_core::ports::{BoxFuture, Outbox, OutboxEntry, Pending, StoreError};
use std::future::{pending, ready};

/// An [`Outbox`] in which nothing ever stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct PushedOutbox;

impl Outbox for PushedOutbox {
    fn next(&self, _: u64, _: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(pending())
    }

    fn told(&self, _: u64) -> Pending<Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
}
