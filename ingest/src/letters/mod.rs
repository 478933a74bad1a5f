//! Dead letters: an operator sends them on their way again, or drops them.
//!
//! ```text
//!            redrive: QUEUED under the same id, tries anew, no deadline any more, calls numbered on
//!   FAILED, ─────────────────────────────────────────────▶ as any other request, to another end
//!   dead    ─────────────────────────────────────────────▶ FAILED, dead no more; kept until its retention ends
//!            drop
//! ```
//! Each is one conditional change of the row: of two operators one does it and the other is told that it was done.
//! A redriven request is durable before its lane is told; if the process ends in between, the next start finds it
//! waiting. It is sent only if it could be served: its body must still be there and its lane configured, for a
//! server does not start on requests that wait in a lane it does not know.

mod filter;
mod sweep;

pub(crate) use filter::Wish;
pub(crate) use sweep::Sweep;

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use metrics::counter;
use smoother_core::ports::{ChangeError, PayloadKind};
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Change, Hop, Request, RequestId, State, TenantId, metrics as names};

/// What an operator does with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Redrive,
    Drop,
}

/// A letter after an operator's act.
#[derive(Debug, Clone)]
pub(crate) struct Handled {
    pub(crate) row: Request,
    /// Whether it was this act that did it.
    pub(crate) now: bool,
}

impl Act {
    const fn change(self) -> Change {
        match self {
            Self::Redrive => Change::Redrive,
            Self::Drop => Change::Dismiss,
        }
    }

    /// Whether there is something left to do; refused for what never was a dead letter.
    fn is_open(self, row: &Request) -> Result<bool, Refusal> {
        let done = match self {
            Self::Redrive => row.redriven > 0 && row.state != State::Failed,
            Self::Drop => row.state == State::Failed,
        };
        match (row.dead, done) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(Refusal::NotDead {
                id: row.id,
                state: row.state,
            }),
        }
    }
}

impl Ingest {
    /// Does it to one letter. Doing it again changes nothing and says so.
    pub(crate) async fn handle(
        &self,
        act: Act,
        tenant: &TenantId,
        id: RequestId,
    ) -> Result<Handled, Refusal> {
        self.may_act(act)?;
        let row = self.letter(tenant, id).await?;
        if !act.is_open(&row)? {
            return Ok(Handled { row, now: false });
        }
        self.can(act, &row).await?;
        match self.ports.store.change(id, act.change()).await {
            Ok(row) => {
                self.done(act, &row).await;
                Ok(Handled { row, now: true })
            }
            // Somebody else was faster.
            Err(ChangeError::Refused(_)) => {
                let row = self.letter(tenant, id).await?;
                act.is_open(&row).map(|_| Handled { row, now: false })
            }
            Err(ChangeError::NotFound(id)) => Err(Refusal::UnknownJob(id)),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    async fn letter(&self, tenant: &TenantId, id: RequestId) -> Result<Request, Refusal> {
        let row = self.ports.store.get(id).await?;
        // Another tenant's job is none that this caller could know of.
        row.filter(|row| row.tenant == *tenant)
            .ok_or(Refusal::UnknownJob(id))
    }

    fn may_act(&self, act: Act) -> Result<(), Refusal> {
        match act {
            Act::Redrive if self.is_draining() => Err(Refusal::Stopping),
            Act::Redrive | Act::Drop => Ok(()),
        }
    }

    /// Whether the act would come to anything.
    async fn can(&self, act: Act, row: &Request) -> Result<(), Refusal> {
        if act == Act::Drop {
            return Ok(());
        }
        let settings = self.settings();
        let ahead = row.fallback.iter().filter_map(Hop::lane);
        let mut lanes = std::iter::once(&row.lane).chain(ahead);
        if let Some(gone) = lanes.find(|lane| !settings.routes.lanes().contains_key(*lane)) {
            return Err(Refusal::LaneGone {
                id: row.id,
                lane: gone.clone(),
                known: settings.routes.names(),
            });
        }
        match self.ports.payloads.fetch(row.id, PayloadKind::Body).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::BodyGone(row.id)),
        }
    }

    /// What follows from a change that is durable.
    async fn done(&self, act: Act, row: &Request) {
        let lane = row.lane.to_string();
        match act {
            Act::Drop => {
                counter!(names::DROPPED, "lane" => lane).increment(1);
                tracing::info!(request = %row.id, lane = %row.lane, "a dead letter was dropped");
            }
            Act::Redrive => {
                counter!(names::REDRIVEN, "lane" => lane).increment(1);
                tracing::info!(request = %row.id, lane = %row.lane, times = row.redriven, "a dead letter was redriven");
                self.send_again(row).await;
            }
        }
    }

    async fn send_again(&self, row: &Request) {
        self.ports.live.reopen(row.id, row.rev);
        let burndown = self
            .settings()
            .routes
            .lanes()
            .get(&row.lane)
            .map_or(1, |lane| lane.output_burndown);
        let arrived = Event::Arrived(Waiting::priced(row, burndown));
        if let Err(error) = self.ports.lanes.send(&row.lane, arrived).await {
            // Stored as it is, the next start puts it in line there.
            tracing::warn!(lane = %row.lane, request = %row.id, %error, "a lane could not be told of a redriven request");
        }
    }
}
