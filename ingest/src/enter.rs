//! A synchronous call: enters its lane, or joins the request that an earlier attempt has entered.
//!
//! The common case, a call nobody has seen before, waits for nothing on its way in: the write is begun, the lane
//! is told, and the first thing awaited is the answer. Whoever may be known already asks the store first, because
//! a lane must not be told of a request under an id that belongs to another.

use crate::ingest::Ingest;
use crate::line::Line;
use crate::patience::Patience;
use crate::prepare::Prepared;
use crate::presence::Presence;
use crate::refusal::Refusal;
use crate::submission::Submission;
use crate::submit::{Known, came_to_nothing};
use crate::whole::whole;
use smoother_core::ports::Inserted;
use smoother_core::{Door, OnDisconnect, Request};
use std::sync::Arc;

/// How a synchronous call stands once it is in.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It is on its way; read along.
    Open(Box<Line>),
    /// It had ended before this attempt came.
    Over(Box<Request>),
}

impl Ingest {
    /// Takes a synchronous call in.
    pub(crate) async fn call(self: &Arc<Self>, submission: Submission) -> Result<Entry, Refusal> {
        let own = submission.timeout;
        let mut prepared = self.prepare(submission).await?;
        let returns = prepared.key.may_come_back();
        let left = self.answers_by().since(self.ports.clock.now());
        let patience = Patience::new(own, prepared.sync_timeout, returns).within(left);
        if !prepared.key.may_be_known() && self.ports.store.commits_in_order() {
            let presence = Presence::new(self, &prepared.request);
            if presence.is_first() {
                return self.enter_at_once(prepared, presence, patience).await;
            }
        }
        let mut known = self.known(&prepared).await?;
        if let Known::Row(row) = known {
            let joined = self.join(*row, prepared.request.on_disconnect, patience).await?;
            match joined {
                // It came to nothing just as this one came: then this is a call of its own.
                Entry::Over(row) if came_to_nothing(&row) => known = self.known(&prepared).await?,
                joined => return Ok(joined),
            }
        }
        match known {
            Known::Row(row) => self.join(*row, prepared.request.on_disconnect, patience).await,
            Known::Not(id) => {
                prepared.request.id = id;
                let ingest = Arc::clone(self);
                whole(async move { ingest.enter_after_commit(prepared, patience).await }).await
            }
        }
    }

    async fn enter_at_once(
        self: &Arc<Self>,
        prepared: Prepared,
        mut presence: Presence,
        patience: Patience,
    ) -> Result<Entry, Refusal> {
        let will_miss = self.admit(&prepared).await?;
        let stored = self.begin_insert(&prepared).await?;
        presence.begin();
        self.arrive(&prepared.request, prepared.burndown).await?;
        let mut line = Line::new(self, prepared.request, presence, Some(stored), patience);
        line.will_miss = will_miss;
        Ok(Entry::Open(Box::new(line)))
    }

    async fn enter_after_commit(
        self: &Arc<Self>,
        prepared: Prepared,
        patience: Patience,
    ) -> Result<Entry, Refusal> {
        let will_miss = self.admit(&prepared).await?;
        let mut presence = Presence::new(self, &prepared.request);
        let inserted = self.begin_insert(&prepared).await?;
        match inserted.await? {
            Inserted::Fresh => {}
            Inserted::Same(row) => {
                drop(presence);
                return self.join(*row, prepared.request.on_disconnect, patience).await;
            }
            Inserted::Conflict => return Err(Refusal::Conflict(prepared.request.id)),
        }
        presence.begin();
        self.arrive_stored(&prepared.request, prepared.burndown).await?;
        self.settings().meters.accepted(&prepared.request);
        let mut line = Line::new(self, prepared.request, presence, None, patience);
        line.will_miss = will_miss;
        Ok(Entry::Open(Box::new(line)))
    }

    async fn join(
        self: &Arc<Self>,
        row: Request,
        on_disconnect: OnDisconnect,
        patience: Patience,
    ) -> Result<Entry, Refusal> {
        let row = self.join_as(row, Door::Sync, on_disconnect).await?;
        if row.state.is_terminal() {
            return Ok(Entry::Over(Box::new(row)));
        }
        let mut presence = Presence::new(self, &row);
        presence.begin();
        self.callers.not_given_up(row.id).await;
        // It may have ended before the reader was there; then its end will not be told again.
        let row = self.ports.store.get(row.id).await?.unwrap_or(row);
        if row.state.is_terminal() {
            presence.over();
            return Ok(Entry::Over(Box::new(row)));
        }
        let line = Line::new(self, row, presence, None, patience);
        Ok(Entry::Open(Box::new(line)))
    }
}
