//! Calling a request off: by its owner, or because its caller stayed away.

use crate::ingest::Ingest;
use smoother_core::ports::ChangeError;
use smoother_core::scheduler::{Event, Gone};
use smoother_core::{Change, Refused, Request, RequestId};

impl Ingest {
    /// Cancels a request and answers its row; one that has ended already stays as it ended.
    ///
    /// The cancel is durable when this answers. A running call is told to stop; what it cost is settled all the
    /// same, and an answer that still comes is dropped.
    pub async fn cancel(&self, id: RequestId) -> Result<Request, ChangeError> {
        let at = self.ports.clock.now();
        match self.ports.store.change(id, Change::Cancel { at }).await {
            Ok(row) => {
                let event = Event::Left {
                    request: id,
                    why: Gone::Cancelled,
                };
                if let Err(error) = self.ports.lanes.send(&row.lane, event).await {
                    tracing::warn!(request = %id, %error, "a lane could not be told of a cancel");
                }
                self.ports.live.abort(id);
                self.leave(id);
                tracing::debug!(request = %id, "cancelled");
                Ok(row)
            }
            Err(ChangeError::Refused(Refused::State { .. })) => {
                self.ports.store.get(id).await?.ok_or(ChangeError::NotFound(id))
            }
            Err(error) => Err(error),
        }
    }
}
