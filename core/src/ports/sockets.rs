//! WebSocket connections that are held somewhere else, and who of them wants to hear of what.

use super::{BoxFuture, QueueError, StoreError};
use crate::ids::{RequestId, TenantId};
use std::fmt;

/// A connection, by the name that its holder gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// `None` for a name that no holder gives: empty, longer than 128 bytes, or with anything but printable ASCII.
    pub fn new(name: &str) -> Option<Self> {
        let good = (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Its holder has taken it.
    Delivered,
    /// There is no such connection any more.
    Gone,
}

/// Pushes texts to connections.
pub trait Sockets: Send + Sync {
    /// Sends one text message.
    ///
    /// # Errors
    /// [`QueueError::Failed`] where the holder did not take it after some tries.
    fn push(&self, to: &ConnectionId, text: String) -> BoxFuture<'_, Result<Pushed, QueueError>>;
}

/// Which connections there are, and which requests each wants to hear of. Everything is forgotten by itself some
/// hours after it was stored; no connection lives as long.
pub trait Connections: Send + Sync {
    /// A connection was opened by a tenant. Told again, the last word counts.
    fn opened(&self, connection: &ConnectionId, tenant: &TenantId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whose a connection is; `None` where it is not known.
    fn tenant(&self, connection: &ConnectionId) -> BoxFuture<'_, Result<Option<TenantId>, StoreError>>;

    /// The connection wants to hear of this request. Durable when it answers, so that an end that is stored
    /// afterwards finds it.
    fn subscribe(
        &self,
        connection: &ConnectionId,
        request: RequestId,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Who wants to hear of a request; sees every subscription that was durable before it was asked.
    fn subscribers(&self, request: RequestId) -> BoxFuture<'_, Result<Vec<ConnectionId>, StoreError>>;

    /// The connection is gone: it and its subscriptions are forgotten. One that is not known is no error.
    fn closed(&self, connection: &ConnectionId) -> BoxFuture<'_, Result<(), StoreError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_key_are_none() {
        assert!(ConnectionId::new("L0SM9cOFvHcCIhw=").is_some());
        for bad in ["", "a b", "ä", &"x".repeat(129)] {
            assert!(ConnectionId::new(bad).is_none(), "{bad:?}");
        }
    }
}
