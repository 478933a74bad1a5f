//! Who is told.

use smoother_core::ports::{BoxFuture, OutboxEntry};

/// A listener could not take an entry; it is given the same one again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{listener}: {cause}")]
pub struct NotifyError {
    /// The listener's name.
    pub listener: &'static str,
    /// What went wrong; never holds a prompt, a result or a key.
    pub cause: String,
}

/// Someone who is told of every terminal state, in the order of the outbox, at least once.
pub trait Notify: Send + Sync {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// Takes an entry; `Ok` means that it need not be told again. `seq` and the request's id make the event's id.
    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>>;
}
