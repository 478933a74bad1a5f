//! Storing a submission durably and entering it into its lane, for every door that answers by job id.

use crate::ingest::Ingest;
use crate::prepare::Prepared;
use crate::refusal::Refusal;
use crate::submission::{Accepted, Submission};
use metrics::counter;
use smoother_core::metrics::LANE_NOT_TOLD;
use smoother_core::ports::{Inserted, NewRequest, PayloadKind, Pending, QueueError, StoreError};
use smoother_core::scheduler::{Event, Gone, Waiting};
use smoother_core::{Request, RequestId, State};

/// What a store knows of a key.
pub(crate) enum Known {
    /// Nothing: a request with this id may be stored.
    Not(RequestId),
    /// This row, with the same body.
    Row(Box<Request>),
}

/// Whether it was called off, or given up for others before it was called: another attempt is another chance.
pub(crate) fn came_to_nothing(row: &Request) -> bool {
    row.state == State::Cancelled || row.has_made_room()
}

impl Ingest {
    /// Accepts a submission: when this answers, it is durable, and its lane was told or finds it by reading.
    ///
    /// The same key with the same operation, model and body answers the request that is known; with others it is a
    /// [`Refusal::Conflict`].
    pub async fn submit(&self, submission: Submission) -> Result<Accepted, Refusal> {
        let mut prepared = self.prepare(submission).await?;
        if prepared.key.may_be_known() {
            match self.known(&prepared).await? {
                Known::Row(row) => return self.join_job(*row).await,
                Known::Not(id) => prepared.request.id = id,
            }
        }
        let will_miss = self.admit(&prepared).await?;
        let (inserted, request) = (self.begin_insert(&prepared).await?, &prepared.request);
        // A fresh id cannot be known, and a store that commits in order needs no waiting in between.
        let at_once = prepared.key.id(&request.tenant, 0).is_none() && self.ports.store.commits_in_order();
        if at_once {
            self.arrive(request, prepared.burndown).await?;
        }
        match inserted.await {
            Ok(Inserted::Fresh) if at_once => {}
            Ok(Inserted::Fresh) => self.arrive_stored(request, prepared.burndown).await?,
            Ok(Inserted::Same(row)) => return self.join_job(*row).await,
            Ok(Inserted::Conflict) => return Err(Refusal::Conflict(request.id)),
            Err(error) => {
                if at_once {
                    self.withdraw(request).await;
                }
                return Err(error.into());
            }
        }
        self.settings().meters.accepted(request);
        Ok(Accepted {
            request: prepared.request,
            joined: false,
            will_miss,
        })
    }

    /// Looks a key up. A call of an SDK that came to nothing does not count: its next attempt is a new request.
    pub(crate) async fn known(&self, prepared: &Prepared) -> Result<Known, Refusal> {
        const MOST_GENERATIONS: u32 = 16;
        let mut id = prepared.request.id;
        for generation in 1..=MOST_GENERATIONS {
            let Some(row) = self.ports.store.get(id).await? else {
                return Ok(Known::Not(id));
            };
            if row.body_hash != prepared.request.body_hash {
                return Err(Refusal::Conflict(id));
            }
            let call_is_over = matches!(prepared.key, crate::key::Key::Invocation { .. })
                && came_to_nothing(&row)
                && generation < MOST_GENERATIONS;
            match prepared.key.id(&row.tenant, generation) {
                Some(next) if call_is_over => id = next,
                _ => return Ok(Known::Row(Box::new(row))),
            }
        }
        Ok(Known::Not(id))
    }

    /// Begins the durable write of a new request; what is awaited here is only a large body's own.
    pub(crate) async fn begin_insert(
        &self,
        prepared: &Prepared,
    ) -> Result<Pending<Result<Inserted, StoreError>>, Refusal> {
        let (request, body) = (prepared.request.clone(), prepared.body.clone());
        let body = self
            .ports
            .payloads
            .keep(request.id, PayloadKind::Body, body)
            .await?;
        Ok(self.ports.store.insert(NewRequest { request, body }))
    }

    /// Tells the lane of a new request.
    pub(crate) async fn arrive(&self, request: &Request, burndown: u64) -> Result<(), Refusal> {
        self.note_unsized(request);
        let event = Event::Arrived(Waiting::priced(request, burndown));
        self.ports.lanes.send(&request.lane, event).await?;
        tracing::debug!(request = %request.id, lane = %request.lane, priority = %request.priority, "arrived");
        Ok(())
    }

    /// Tells the lane of a request that is durable. It will run whether or not its lane hears of it now: whoever holds
    /// the lane reads what waits. So its caller is not told that it was refused, or it would be sent, and paid, twice.
    /// Only a process that is stopping says so, since the next one takes the request up.
    pub(crate) async fn arrive_stored(&self, request: &Request, burndown: u64) -> Result<(), Refusal> {
        match self.arrive(request, burndown).await {
            Err(Refusal::Lane(error)) if !matches!(error, QueueError::Closed(_)) => {
                counter!(LANE_NOT_TOLD, "lane" => request.lane.to_string()).increment(1);
                tracing::warn!(
                    request = %request.id, lane = %request.lane, %error,
                    "a lane could not be told of a request that is stored; its holder finds it when it reads what waits"
                );
                Ok(())
            }
            told => told,
        }
    }

    /// Takes back what the lane was told of a request that was not stored after all.
    pub(crate) async fn withdraw(&self, request: &Request) {
        self.unsized_ones.forget(request.id);
        let event = Event::Left {
            request: request.id,
            why: Gone::Elsewhere,
        };
        if let Err(error) = self.ports.lanes.send(&request.lane, event).await {
            tracing::warn!(request = %request.id, %error, "a lane could not be told that a request was not stored");
        }
    }
}
