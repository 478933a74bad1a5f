//! One command of the scheduler, carried out: what is written, what is sent, and what comes back as events.

use crate::lane::LanePorts;
use crate::{leave, resync};
use futures_util::FutureExt;
use smoother_core::config::Config;
use smoother_core::ports::{BoxFuture, ChangeError, QueueError, Released};
use smoother_core::scheduler::{Command, Event, Gone, Waiting};
use smoother_core::{CallNo, Change, HopCause, LaneId, Request, RequestId, Runner, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a release is sent on its way before it is left to lapse.
const SENDS: u32 = 5;
/// How long a store or a queue that failed is left alone.
pub(crate) const FAILED_STORE_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// What a command's outcome tells the scheduler; empty where all went as it decided.
pub(crate) type Feedback = BoxFuture<'static, Vec<Event>>;

/// Who carries out a lane's commands.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) lane: LaneId,
    /// What a token of output costs in each lane.
    pub(crate) burndowns: Arc<BTreeMap<LaneId, u64>>,
    pub(crate) ports: Arc<LanePorts>,
}

impl Hands {
    /// What a token of output costs in each lane of a configuration.
    pub(crate) fn burndowns_of(config: &Config) -> Arc<BTreeMap<LaneId, u64>> {
        let lanes = config.lanes.values();
        Arc::new(
            lanes
                .map(|lane| (lane.id.clone(), lane.output_burndown))
                .collect(),
        )
    }

    /// Begins a command. The future, if any, has to be awaited for its feedback.
    pub(crate) fn begin(&self, command: Command, now: Timestamp) -> Option<Feedback> {
        match command {
            Command::Release {
                request,
                call,
                reserve,
                start_by,
            } => {
                let change = Change::Release {
                    lane: self.lane.clone(),
                    call,
                    reserve,
                    start_by,
                    at: now,
                };
                let released = Released {
                    request,
                    call,
                    lane: self.lane.clone(),
                    start_by,
                };
                Some(self.release(released, change))
            }
            Command::Expire { request } => Some(self.end_waiting(request, Change::Expire { at: now })),
            Command::Fail { request, failure } => Some(self.end_waiting(
                request,
                Change::Fail {
                    call: None,
                    failure,
                    at: now,
                },
            )),
            Command::Leave { request, cause } => Some(self.leave(request, cause)),
            Command::Check { request, call } => {
                let hands = self.clone();
                Some(async move { resync::check(&hands, request, call).await }.boxed())
            }
            Command::Lose {
                request,
                call,
                reserve,
            } => {
                let hands = self.clone();
                Some(async move { resync::lose(&hands, request, call, reserve).await }.boxed())
            }
            // The whole lane is in the scheduler's memory here, so there is never a window to refill; and the
            // task itself keeps the time of the next tick.
            Command::Refill { .. } | Command::WakeAt(_) => None,
        }
    }

    /// The row's entry in the lane it waits in.
    pub(crate) fn priced(&self, row: &Request) -> Waiting {
        Waiting::priced(row, self.burndowns.get(&row.lane).copied().unwrap_or(1))
    }

    fn leave(&self, id: RequestId, cause: HopCause) -> Feedback {
        let hands = self.clone();
        async move {
            match leave::go_on(&hands, id, cause).await {
                Ok(()) => Vec::new(),
                Err(ChangeError::Store(error)) => {
                    tracing::error!(lane = %hands.lane, request = %id, %error, "a request could not go on in its chain");
                    // Back in line it would be sent on at once, and again.
                    tokio::time::sleep(FAILED_STORE_PAUSE).await;
                    resync::reread(&hands, id).await
                }
                Err(_) => resync::reread(&hands, id).await,
            }
        }
        .boxed()
    }

    fn release(&self, released: Released, change: Change) -> Feedback {
        let (id, call) = (released.request, released.call);
        let recorded = self.ports.store.change(id, change);
        if self.ports.store.commits_in_order() {
            let sent = self.ports.dispatch.send(vec![released]);
            let hands = self.clone();
            return async move {
                match recorded.await {
                    Err(refused) => hands.not_released(id, call, &refused).await,
                    // A closed dispatch means the process is stopping: the row stays RELEASED, and the next
                    // start puts it back in line.
                    Ok(_) => sent
                        .await
                        .map_or_else(|closed| hands.undelivered(id, &closed), |()| Vec::new()),
                }
            }
            .boxed();
        }
        let hands = self.clone();
        async move {
            match recorded.await {
                Err(refused) => hands.not_released(id, call, &refused).await,
                // Whoever waits on its line claims it.
                Ok(row) if row.runner == Runner::Caller => Vec::new(),
                Ok(_) => hands.hand_out(released).await,
            }
        }
        .boxed()
    }

    async fn not_released(&self, id: RequestId, call: CallNo, why: &ChangeError) -> Vec<Event> {
        match why {
            // Cancelled, expired or moved in the meantime: the row says how it stands.
            ChangeError::Refused(_) | ChangeError::NotFound(_) => resync::check(self, id, call).await,
            ChangeError::Store(error) => {
                tracing::error!(lane = %self.lane, request = %id, %error, "a release could not be recorded");
                // It may have been recorded all the same: the row says, once it can be read.
                tokio::time::sleep(FAILED_STORE_PAUSE).await;
                vec![Event::Unclaimed { request: id, call }]
            }
        }
    }

    /// Sent again for a while where the queue fails: until `start_by` the release holds its part of the quota. A worker
    /// that hears of it twice claims it once.
    async fn hand_out(&self, released: Released) -> Vec<Event> {
        let id = released.request;
        for _ in 1..SENDS {
            match self.ports.dispatch.send(vec![released.clone()]).await {
                Err(QueueError::Failed { .. }) => tokio::time::sleep(FAILED_STORE_PAUSE).await,
                Err(closed) => return self.undelivered(id, &closed),
                Ok(()) => return Vec::new(),
            }
        }
        let sent = self.ports.dispatch.send(vec![released]).await;
        sent.map_or_else(|failed| self.undelivered(id, &failed), |()| Vec::new())
    }

    fn undelivered(&self, id: RequestId, why: &smoother_core::ports::QueueError) -> Vec<Event> {
        tracing::warn!(lane = %self.lane, request = %id, error = %why, "a release could not be dispatched");
        Vec::new()
    }

    fn end_waiting(&self, id: RequestId, change: Change) -> Feedback {
        let ended = self.ports.store.change(id, change);
        let hands = self.clone();
        async move {
            match ended.await {
                Ok(_) => Vec::new(),
                Err(ChangeError::Store(error)) => {
                    tracing::error!(lane = %hands.lane, request = %id, %error, "an end could not be recorded");
                    // Due as it is, it would be tried again at once, and again.
                    tokio::time::sleep(FAILED_STORE_PAUSE).await;
                    resync::reread(&hands, id).await
                }
                Err(_) => resync::reread(&hands, id).await,
            }
        }
        .boxed()
    }
}

/// An event that takes a request out of the scheduler because its row is somewhere else.
pub(crate) fn elsewhere(request: RequestId) -> Event {
    Event::Left {
        request,
        why: Gone::Elsewhere,
    }
}
