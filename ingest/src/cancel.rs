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
                self.called_off(&row).await;
                Ok(row)
            }
            Err(ChangeError::Refused(Refused::State { .. })) => {
                self.ports.store.get(id).await?.ok_or(ChangeError::NotFound(id))
            }
            Err(error) => Err(error),
        }
    }

    /// Cancels a request that nobody waits for, unless it has ended or is to be finished for somebody who reads it
    /// later.
    pub(crate) async fn abandon(&self, id: RequestId) {
        let at = self.ports.clock.now();
        match self.ports.store.change(id, Change::Abandon { at }).await {
            Ok(row) => self.called_off(&row).await,
            Err(ChangeError::Refused(why)) => tracing::debug!(request = %id, %why, "not abandoned"),
            Err(error) => {
                tracing::warn!(request = %id, %error, "a request whose caller went away could not be cancelled");
            }
        }
    }

    /// Tells the lane and the runner of a cancel that is durable.
    async fn called_off(&self, row: &Request) {
        // The runner's own word of the start may still be on its way. Without it the lane would take the request
        // for one that never started, and give away what its call was charged.
        if let Some(started) = self.call_under_way(row).await {
            self.tell_of_cancel(row, started).await;
        }
        let left = Event::Left {
            request: row.id,
            why: Gone::Cancelled,
        };
        self.tell_of_cancel(row, left).await;
        self.ports.live.abort(row.id);
        tracing::debug!(request = %row.id, "cancelled");
    }

    /// The start of the call that was claimed and is not settled, if there is one.
    async fn call_under_way(&self, row: &Request) -> Option<Event> {
        row.started_at?;
        let calls = match self.ports.store.calls(row.id).await {
            Ok(calls) => calls,
            Err(error) => {
                tracing::warn!(request = %row.id, %error, "the calls of a cancelled request could not be read");
                return None;
            }
        };
        let call = calls
            .into_iter()
            .find(|call| call.number == row.call && call.settlement.is_none())?;
        Some(Event::Started {
            request: row.id,
            call: call.number,
            at: call.charged_at,
        })
    }

    async fn tell_of_cancel(&self, row: &Request, event: Event) {
        if let Err(error) = self.ports.lanes.send(&row.lane, event).await {
            tracing::warn!(request = %row.id, %error, "a lane could not be told of a cancel");
        }
    }
}
