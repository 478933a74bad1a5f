//! A caller on the line, and what follows when it goes away.
//!
//! An SDK that times out closes its connection and sends the call again. So a request whose last caller has gone
//! is cancelled only after a grace in which the next attempt may join it; at once where no attempt can come. Which
//! of the two it is, is stored with the request, so that a process started later knows it too.

use crate::ingest::Ingest;
use smoother_core::ports::{Reader, Update};
use smoother_core::{Door, Millis, OnDisconnect, Request, RequestId};
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Handle;

/// One caller's reading of a request. Dropping it before the end was read is the caller's going away.
pub(crate) struct Presence {
    ingest: Arc<Ingest>,
    id: RequestId,
    /// How long to wait for the caller; `None` where the request is finished without it.
    grace: Option<Millis>,
    reader: Option<Box<dyn Reader>>,
    /// Whether this is the first caller of a request not known to have ended.
    first: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was written yet.
    Before,
    /// The request is on its way to its end.
    During,
    /// It has ended, or goes on without this caller.
    After,
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Presence {
    /// Begins reading; what is published from now on will be seen. The request's own policy says what follows when
    /// the caller goes away.
    pub(crate) fn new(ingest: &Arc<Ingest>, request: &Request) -> Self {
        Self {
            ingest: Arc::clone(ingest),
            id: request.id,
            grace: ingest.grace(request),
            reader: Some(ingest.ports.live.subscribe(request.id)),
            first: ingest.callers.enter(request.id),
            stage: Stage::Before,
        }
    }

    /// Whether no other caller of the same request is known.
    pub(crate) const fn is_first(&self) -> bool {
        self.first
    }

    /// Whether the request is of use to nobody once this caller is gone.
    pub(crate) fn is_the_only_use(&self) -> bool {
        self.grace == Some(Millis::ZERO)
    }

    /// The request is being stored, or is stored: from now on, going away has consequences.
    pub(crate) const fn begin(&mut self) {
        self.stage = Stage::During;
    }

    /// The next update; `None` after the end.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        let update = self.reader.as_mut()?.next().await;
        if matches!(update, None | Some(Update::Ended(_) | Update::NotStored(_))) {
            self.over();
        }
        update
    }

    /// Nothing is to be done when this is dropped: the request has ended, was never stored, or is left to the
    /// next process.
    pub(crate) fn over(&mut self) {
        if self.stage != Stage::After {
            self.stage = Stage::After;
            self.ingest.callers.leave(self.id);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.reader = None;
        match self.stage {
            Stage::Before => self.ingest.callers.leave(self.id),
            Stage::During => self.ingest.caller_gone(self.id, self.grace),
            Stage::After => {}
        }
    }
}

impl Ingest {
    /// How many requests have callers on the line, or wait for one to come back; 0 when nobody calls.
    pub fn callers(&self) -> usize {
        self.callers.len()
    }

    /// Waits for the caller of a request that a former process was serving: for a synchronous request found open
    /// at the start, as if its caller had gone away just now.
    ///
    /// What the former process had still to tell of one that was sent on its way again may be its former end.
    pub fn await_return(self: &Arc<Self>, request: &Request) {
        self.note_unsized(request);
        if request.redriven > 0 {
            self.ports.live.reopen(request.id, request.rev);
        }
        if let Some(grace) = self.grace(request) {
            self.wait_for(request.id, grace);
        }
    }

    /// How long a gone caller of this request is waited for; `None` where the request is finished without it.
    fn grace(&self, request: &Request) -> Option<Millis> {
        match (request.door, request.on_disconnect) {
            // A grace without an end is none: nobody will ever say that the caller stayed away.
            (Door::Sync, OnDisconnect::Cancel) => {
                Some(self.settings().config.server.disconnect_grace).filter(|grace| *grace < Millis::MAX)
            }
            (Door::Sync, OnDisconnect::CancelAtOnce) => Some(Millis::ZERO),
            (Door::Sync, OnDisconnect::Finish) | (Door::Job, _) => None,
        }
    }

    fn caller_gone(self: &Arc<Self>, id: RequestId, grace: Option<Millis>) {
        match grace {
            Some(grace) => self.wait_for(id, grace),
            None => self.callers.leave(id),
        }
    }

    fn wait_for(self: &Arc<Self>, id: RequestId, grace: Millis) {
        let departure = self.callers.depart(id);
        // Without a runtime the process is at its end, and the next one waits.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let ingest = Arc::clone(self);
        let wait = async move {
            tokio::select! {
                biased;
                // The next process waits for the caller.
                () = ingest.draining.cancelled() => return,
                () = tokio::time::sleep(grace.into()) => {}
            }
            if let Some(_giving_up) = ingest.callers.stays_away(id, departure) {
                ingest.abandon(id).await;
            }
        };
        self.tasks.spawn_on(wait, &runtime);
    }
}
