//! Coming to a request that is there already, by its key.
//!
//! One key means one request at every door: the same key and body answer the same id, whether the caller waits on
//! the connection or reads the job later. What the request was entered for decides what becomes of it when callers
//! leave, so joining may have to change that, durably and before the joining caller is answered. A job that joins a
//! synchronous caller's request makes it a job: nobody's leaving cancels it any more. A request
//! that was cancelled before the job came stays so: its id is taken, and the job is answered with the state it has.
//! A caller who joins a job changes nothing. Among callers on the connection the last one's word holds.

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use crate::submission::Accepted;
use smoother_core::ports::ChangeError;
use smoother_core::{Change, Door, OnDisconnect, Request, lifecycle};

impl Ingest {
    /// A job that is known by its key.
    pub(crate) async fn join_job(&self, row: Request) -> Result<Accepted, Refusal> {
        let request = self.join_as(row, Door::Job, OnDisconnect::Finish).await?;
        Ok(Accepted {
            request,
            joined: true,
            will_miss: None,
        })
    }

    /// The row as it is once this caller counts on it.
    pub(crate) async fn join_as(
        &self,
        row: Request,
        door: Door,
        on_disconnect: OnDisconnect,
    ) -> Result<Request, Refusal> {
        self.joined(&row);
        let join = Change::Join { door, on_disconnect };
        let changes = lifecycle::apply(&row, &join)
            .is_ok_and(|next| (next.door, next.on_disconnect) != (row.door, row.on_disconnect));
        if !changes {
            return Ok(row);
        }
        match self.ports.store.change(row.id, join).await {
            Ok(row) => Ok(row),
            // It has ended in between.
            Err(ChangeError::Refused(_)) => Ok(self.ports.store.get(row.id).await?.unwrap_or(row)),
            Err(ChangeError::NotFound(id)) => Err(Refusal::UnknownJob(id)),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Counts a submission that was known.
    pub(crate) fn joined(&self, row: &Request) {
        self.settings().meters.joined(row);
        tracing::debug!(request = %row.id, state = %row.state, "joined");
    }
}
