//! Storing how a call ended, whatever the store says to it.
//!
//! By now the call is paid for, its answer is here, and nobody else can say how it ended. So the end is offered to
//! the store for as long as this process lives and the store may yet take it:
//!
//! | the store | the request | its lane | whoever waits |
//! |---|---|---|---|
//! | is full, or fails | its end is stored later | is told that the call is over | waits, to its own limit |
//! | says that it failed, and has stored it | as stored | is told so, and where the request waits | is told |
//! | fails to keep the answer, time and again | FAILED, its call settled | is told that the call is over | reads why |
//! | is damaged, or closed | stays RUNNING: the next start calls it INDETERMINATE, or names the damage | is told that the call is over | is told that nobody will say more |
//!
//! What the call has cost is known whether or not it can be stored, so no lane holds a place and a reservation for
//! a store that fails.

use crate::conclude::Conclusion;
use crate::runner::{Worker, WorkerPorts};
use smoother_core::ports::{
    ChangeError, EndReport, Ended, LaneQueue, PayloadKind, PayloadRef, QueueError, StoreError, Update,
};
use smoother_core::scheduler::{Again, Event, Waiting};
use smoother_core::{Change, Failure, LaneId, Request, Settlement, State};
use std::sync::Arc;
use std::time::Duration;

/// How long a store that did not take a call's end is left alone.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How often an answer is offered to a store that fails to keep it.
const OFFERS: u32 = 5;

/// One call's end, on its way into the store.
pub(crate) struct Settling<'a> {
    worker: &'a Worker,
    ports: &'a WorkerPorts,
    /// The request as it was claimed.
    row: &'a Request,
    conclusion: Conclusion,
    /// The lane was told that the call is over, and that its request does not come back.
    lane_knows: bool,
}

impl<'a> Settling<'a> {
    pub(crate) fn new(worker: &'a Worker, row: &'a Request, conclusion: Conclusion) -> Self {
        Self {
            worker,
            ports: &worker.ports,
            row,
            conclusion,
            lane_knows: false,
        }
    }

    /// Stores the end; tells the lane, and after the commit the readers.
    pub(crate) async fn run(mut self) {
        // An answer ends the request whatever else happens, so its lane may go on at once. Whoever waits again
        // is told of only when its row says so: the lane would release it, and be refused.
        if self.ports.store.commits_in_order() && self.conclusion.again == Again::No {
            self.free_the_lane().await;
        }
        match self.store().await {
            Ok(report) => self.stored(report.request).await,
            Err(error) => self.given_up(error).await,
        }
    }

    async fn store(&mut self) -> Result<EndReport, StoreError> {
        let mut refusals = 0;
        loop {
            // Kept anew for every offer: a commit that is undone takes the payload's file with it.
            let offered = match self.keep_result().await {
                Ok(kept) => {
                    let Conclusion {
                        settlement, change, ..
                    } = &self.conclusion;
                    let (settlement, change) = (settlement.clone(), change.clone());
                    self.ports.store.end(self.row.id, settlement, change, kept).await
                }
                Err(StoreError::Failed(why)) => {
                    refusals += 1;
                    if refusals == OFFERS {
                        self.give_up_the_answer(&why);
                        continue;
                    }
                    Err(StoreError::Failed(why))
                }
                Err(error) => Err(error),
            };
            match offered {
                Err(error @ (StoreError::Full(_) | StoreError::Failed(_))) => self.wait(&error).await,
                done => return done,
            }
        }
    }

    async fn keep_result(&self) -> Result<Option<PayloadRef>, StoreError> {
        let Some(result) = self.conclusion.result.clone() else {
            return Ok(None);
        };
        let kept = self.ports.payloads.keep(self.row.id, PayloadKind::Result, result);
        kept.await.map(Some)
    }

    /// The call stands with what it has cost; its request fails, because an answer is one that can be read again.
    fn give_up_the_answer(&mut self, why: &str) {
        let Settlement { call, at, .. } = self.conclusion.settlement;
        tracing::error!(request = %self.row.id, %call, why, "an answer cannot be kept; its request fails");
        let failure = Failure {
            kind: None,
            status: 500,
            exception: "InternalServerException".to_owned(),
            message: format!(
                "The model answered and the call was paid for, but the answer could not be stored: {why}. Mend the \
                 server's data directory, then send again."
            ),
            headers: Vec::new(),
        };
        self.conclusion.change = Some(Change::Fail {
            call: Some(call),
            failure,
            at,
        });
        self.conclusion.result = None;
    }

    async fn wait(&mut self, error: &StoreError) {
        tracing::error!(request = %self.row.id, %error, "a call's end waits for the store");
        self.free_the_lane().await;
        tokio::time::sleep(STORE_PAUSE).await;
    }

    async fn stored(mut self, request: Result<Request, ChangeError>) {
        let request = match request {
            Ok(request) => request,
            Err(why) => {
                self.free_the_lane().await;
                let call = self.conclusion.settlement.call;
                tracing::debug!(request = %self.row.id, %call, %why, "the call's outcome came too late");
                self.look_again().await;
                return;
            }
        };
        // Where its lane was told that it does not come back, it stands in line anew.
        let anew = self.lane_knows || request.lane != self.row.lane;
        if !self.lane_knows {
            self.tell_lane(self.over(self.conclusion.again)).await;
        }
        if anew && request.state == State::Queued {
            self.enter(&request).await;
        }
        let (id, state) = (request.id, request.state);
        let update = if state.is_terminal() {
            let result = self.conclusion.result.take();
            Update::Ended(Arc::new(Ended { request, result }))
        } else {
            Update::State(state)
        };
        self.ports.live.publish(id, update);
    }

    /// As a rule the request was cancelled or has expired while its call ended, and the outbox tells of that. But an
    /// offer that failed may have been stored all the same, and then its lane waits to be told where it stands.
    async fn look_again(&self) {
        loop {
            let error = match self.ports.store.get(self.row.id).await {
                Ok(Some(row)) if row.state == State::Queued && row.call == self.row.call => {
                    return self.enter(&row).await;
                }
                Ok(_) => return,
                Err(error) => error,
            };
            tracing::error!(request = %self.row.id, %error, "a row could not be read after its call");
            if matches!(error, StoreError::Damaged(_) | StoreError::Closed) {
                return;
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    async fn given_up(mut self, error: StoreError) {
        let (id, call) = (self.row.id, self.conclusion.settlement.call);
        tracing::error!(request = %id, %call, %error, "a call's end cannot be stored; the next start decides on it");
        self.free_the_lane().await;
        self.ports.live.publish(id, Update::NotStored(error));
    }

    /// Tells the lane that the call is over and its request not to be waited for, once.
    async fn free_the_lane(&mut self) {
        if !self.lane_knows {
            self.lane_knows = true;
            self.tell_lane(self.over(Again::No)).await;
        }
    }

    fn over(&self, again: Again) -> Event {
        let Settlement {
            call,
            charged,
            throttle,
            at,
            ..
        } = self.conclusion.settlement;
        Event::Ended {
            request: self.row.id,
            call,
            charged,
            throttle,
            again,
            health: self.conclusion.health,
            at,
        }
    }

    async fn enter(&self, request: &Request) {
        let (lane, id) = (&request.lane, request.id);
        let Some(side) = self.worker.lane(lane) else {
            tracing::error!(%lane, request = %id, "a request waits in a lane that is not configured here");
            return;
        };
        let waiting = Waiting::priced(request, side.config.output_burndown);
        tell_lane(self.ports.lanes.as_ref(), lane, Event::Arrived(waiting)).await;
    }

    async fn tell_lane(&self, event: Event) {
        tell_lane(self.ports.lanes.as_ref(), &self.row.lane, event).await;
    }
}

/// Tells a lane what happened to one of its calls.
pub(crate) async fn tell_lane(lanes: &dyn LaneQueue, lane: &LaneId, event: Event) {
    match lanes.send(lane, event).await {
        Ok(()) => {}
        // The lanes stop before the calls under way; the store says it all at the next start.
        Err(QueueError::Closed(_)) => tracing::debug!(%lane, "a call ended after its lane had stopped"),
        Err(error) => tracing::warn!(%lane, %error, "a lane could not be told of a call"),
    }
}
