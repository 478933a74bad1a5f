//! Takes released requests up and brings each one's call to its end.

use crate::attempt::{self, Around, Attempt, Progress};
use crate::conclude::Settle;
use crate::meters::Meters;
use crate::opening::{Opening, OpeningPace};
use crate::settle::{Settling, tell_lane};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use smoother_core::config::LaneConfig;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, Entropy, LaneQueue, Live, Model, PayloadKind, Payloads, Released, Store,
    StoreError, Update,
};
use smoother_core::scheduler::Event;
use smoother_core::{Change, LaneId, ModelError, ModelErrorKind, Refused, Request, Timestamp};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a worker needs of the world.
pub struct WorkerPorts {
    /// Requests and calls.
    pub store: Arc<dyn Store>,
    /// Bodies and results.
    pub payloads: Arc<dyn Payloads>,
    /// The way back to the lanes.
    pub lanes: Arc<dyn LaneQueue>,
    /// Those who read along.
    pub live: Arc<dyn Live>,
    /// Bedrock.
    pub model: Arc<dyn Model>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for backoff.
    pub entropy: Arc<dyn Entropy>,
}

/// A release that this worker did not take up, and another, or the same a little later, may: the fence of (request,
/// call) makes that safe. Whoever has it from a queue gives it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The lane is not configured here: not yet, where a deployment that brings it is under way, or not any more.
    #[error("lane {0} is not configured here; a deployment that brings it may be under way")]
    UnknownLane(LaneId),
    /// Whether it was claimed is not known.
    #[error("the claim could not be judged: {0}")]
    Unjudged(String),
}

/// A lane as a call sees it, from its claim to its end.
pub(crate) struct LaneSide {
    pub(crate) config: LaneConfig,
    pub(crate) opening: Opening,
    meters: Meters,
}

/// Makes the calls of every lane; how many at once is the lanes' ledgers' business.
pub struct Worker {
    pub(crate) ports: WorkerPorts,
    lanes: ArcSwap<BTreeMap<LaneId, Arc<LaneSide>>>,
    pace: OpeningPace,
    calls: TaskTracker,
}

impl Worker {
    /// A worker for these lanes.
    pub fn new(
        ports: WorkerPorts,
        lanes: impl IntoIterator<Item = LaneConfig>,
        pace: OpeningPace,
    ) -> Arc<Self> {
        let worker = Self {
            ports,
            lanes: ArcSwap::default(),
            pace,
            calls: TaskTracker::new(),
        };
        worker.reconfigure(lanes);
        Arc::new(worker)
    }

    /// Serves these lanes from now on, and no others. A call that is claimed already ends by the settings it was
    /// claimed under.
    pub fn reconfigure(&self, lanes: impl IntoIterator<Item = LaneConfig>) {
        let known = self.lanes.load_full();
        let side = |config: LaneConfig| {
            if let Some(same) = known.get(&config.id).filter(|known| known.config == config) {
                return (config.id, Arc::clone(same));
            }
            // Other settings may mean another client, which has no connections yet.
            let opening = Opening::new(self.pace);
            let meters = Meters::of(&config);
            let side = LaneSide {
                config,
                opening,
                meters,
            };
            (side.config.id.clone(), Arc::new(side))
        };
        let lanes = lanes.into_iter().map(side).collect();
        self.lanes.store(Arc::new(lanes));
    }

    /// Takes up what is released until told to stop; what is left in the queue then stays RELEASED in the
    /// store, and the next start puts it back in line.
    pub async fn run(
        self: Arc<Self>,
        mut released: mpsc::UnboundedReceiver<Released>,
        stop: CancellationToken,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = released.recv() => next,
            };
            let Some(next) = next else { break };
            let worker = Arc::clone(&self);
            self.calls.spawn(async move {
                let (request, call) = (next.request, next.call);
                if let Err(error) = worker.take(next, None).await {
                    tracing::error!(%request, %call, %error, "a release was not taken up; its lane asks for it after its start_by");
                }
            });
        }
    }

    /// Waits for the calls under way, at most `limit`. Returns how many are still running then.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.calls.close();
        // What is not over by then is reported; the store calls it INDETERMINATE at the next start.
        let _ = tokio::time::timeout(limit, self.calls.wait()).await;
        self.calls.len()
    }

    /// A lane as it is set now.
    pub(crate) fn lane(&self, id: &LaneId) -> Option<Arc<LaneSide>> {
        self.lanes.load().get(id).cloned()
    }

    /// Claims a release and brings its call to its end; resolves when that is stored and told, or when there is
    /// nothing to do: it was claimed by another, called off, or came too late. For a process that does not live long
    /// the call is over by `end_by`, and one that is not is broken off as if it had stalled.
    ///
    /// # Errors
    /// [`NotTaken`]: nothing was called, and whoever takes the release up later may call.
    pub async fn take(&self, released: Released, end_by: Option<Timestamp>) -> Result<(), NotTaken> {
        let Some(lane) = self.lane(&released.lane) else {
            // Nobody may claim it any more, whoever knows its lane.
            let late = self.ports.clock.now() > released.start_by;
            return if late {
                Ok(())
            } else {
                Err(NotTaken::UnknownLane(released.lane))
            };
        };
        let turn = lane.opening.turn(self.ports.clock.now()).await;
        let claim = Change::Claim {
            call: released.call,
            at: self.ports.clock.now(),
        };
        let claimed = self.ports.store.change(released.request, claim).await;
        if claimed.is_err() {
            lane.opening.unused(turn, self.ports.clock.now());
        }
        match claimed {
            Ok(row) => self.call(&lane, row, end_by).await,
            // Nobody will claim it any more: its lane need not wait to be sure of that.
            Err(ChangeError::Refused(why @ Refused::Late { .. })) => {
                tracing::warn!(request = %released.request, call = %released.call, %why, "claimed too late");
                let Released {
                    request, call, lane, ..
                } = released;
                tell_lane(
                    self.ports.lanes.as_ref(),
                    &lane,
                    Event::Unclaimed { request, call },
                )
                .await;
            }
            // Cancelled, expired, or claimed by another: not ours.
            Err(ChangeError::Refused(why)) => {
                tracing::debug!(request = %released.request, call = %released.call, %why, "claim refused");
            }
            Err(ChangeError::NotFound(id)) => {
                tracing::error!(request = %id, call = %released.call, "released, and not in the store");
            }
            Err(ChangeError::Store(error)) => return Err(NotTaken::Unjudged(error.to_string())),
        }
        Ok(())
    }

    /// Makes a claimed call and sees it to its end. Only this task can tell how the call ended, so a fault of this
    /// program in it, whatever part panics, ends the call as one that is lost.
    async fn call(&self, lane: &LaneSide, row: Request, end_by: Option<Timestamp>) {
        let progress = Progress::default();
        // Where another process has sent it on its way again, its former end, told here, would call this call off.
        if row.redriven > 0 {
            self.ports.live.reopen(row.id, row.rev);
        }
        // Held to the end of this function: as long as it is, the end is this runner's to tell.
        let mut aborted = self.ports.live.aborted(row.id);
        let whole = self.make(lane, &row, end_by, &progress, &mut aborted);
        // Nothing that a panic can leave half done is looked at again: the row says how far it came.
        if AssertUnwindSafe(whole).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(request = %row.id, call = %row.call, "a call's runner broke off; the call counts as lost");
        let end = self.settle(lane, &row, &progress).broken_off();
        let told = AssertUnwindSafe(Settling::new(self, &row, end).run());
        if told.catch_unwind().await.is_err() {
            tracing::error!(
                request = %row.id, call = %row.call,
                "a lost call's end could not be stored; its lane asks for it some time after call_timeout_ms"
            );
        }
    }

    async fn make(
        &self,
        lane: &LaneSide,
        row: &Request,
        end_by: Option<Timestamp>,
        progress: &Progress,
        aborted: &mut BoxFuture<'static, ()>,
    ) {
        let at = row.started_at.unwrap_or_else(|| self.ports.clock.now());
        let started = Event::Started {
            request: row.id,
            call: row.call,
            at,
        };
        tell_lane(self.ports.lanes.as_ref(), &row.lane, started).await;
        self.ports.live.publish(row.id, Update::Call(row.call));
        // Readable for certain only now: the body's own write was begun before the claim's.
        let attempt = match self.ports.payloads.fetch(row.id, PayloadKind::Body).await {
            Ok(Some(body)) => {
                let around = Around {
                    model: self.ports.model.as_ref(),
                    live: self.ports.live.as_ref(),
                    clock: self.ports.clock.as_ref(),
                    end_by,
                    aborted,
                    progress,
                };
                match as_sent(row, body) {
                    Some(body) => attempt::make(around, row, &lane.config, body).await,
                    None => unreadable(
                        ModelErrorKind::Validation,
                        "its max_tokens is not where it was found",
                    ),
                }
            }
            Ok(None) => unreadable(ModelErrorKind::Validation, "its body is not in the store"),
            Err(error @ StoreError::Damaged(_)) => unreadable(ModelErrorKind::Validation, &error.to_string()),
            // Nothing was sent, and the next look may well succeed.
            Err(error) => unreadable(ModelErrorKind::Connect, &error.to_string()),
        };
        if attempt.leaves_connection() {
            lane.opening.left(self.ports.clock.now());
        }
        let conclusion = self.settle(lane, row, progress).conclude(attempt);
        lane.meters.ended(row, &conclusion);
        Settling::new(self, row, conclusion).run().await;
    }

    fn settle<'a>(&self, lane: &'a LaneSide, row: &'a Request, progress: &'a Progress) -> Settle<'a> {
        Settle {
            row,
            lane: &lane.config,
            progress,
            now: self.ports.clock.now(),
            random: self.ports.entropy.below(u64::MAX),
        }
    }
}

/// The body that goes upstream: the caller's, but for the max_tokens of a request that is right-sized; `None` where it
/// is not the body that this was found in.
fn as_sent(row: &Request, body: Bytes) -> Option<Bytes> {
    match row.right_size.as_ref().filter(|size| size.own.is_some()) {
        Some(size) => size.slot.fill(&body, row.estimate.max_output),
        None => Some(body),
    }
}

fn unreadable(kind: ModelErrorKind, why: &str) -> Attempt {
    let error = ModelError {
        kind,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message: format!("The request could not be read back: {why}"),
        headers: Vec::new(),
        retry_after_ms: None,
    };
    Attempt::Failed {
        error,
        usage: None,
        accepted: false,
    }
}
