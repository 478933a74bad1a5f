//! Ends that are pushed here, one by one, instead of being read from an outbox.

use super::announce::Announce;
use super::notify::{Notify, NotifyError};
use crate::service::Results;
use futures_util::future::join_all;
use smoother_core::ports::OutboxEntry;
use std::sync::Arc;

impl Results {
    /// Tells one terminal state to every listener. Whoever pushed it keeps it until this is `Ok`.
    ///
    /// # Errors
    /// The first listener that could not take it. The others have it, and are told again with the next try.
    pub async fn tell(&self, entry: &OutboxEntry) -> Result<(), NotifyError> {
        let own = Announce::new(Arc::clone(&self.ports.live));
        let hooks = self.config.hooks.iter().map(|hook| hook.ended(entry));
        let told: Result<Vec<()>, NotifyError> = join_all(hooks).await.into_iter().collect();
        told?;
        // Counted once: a listener that fails has the whole entry pushed again.
        own.ended(entry).await
    }
}
