//! Takes released requests up and brings each one's call to its end.

use crate::attempt::{self, Around, Attempt};
use crate::conclude::{Conclusion, conclude};
use crate::meters::Meters;
use crate::opening::{Opening, OpeningPace};
use smoother_core::config::LaneConfig;
use smoother_core::ports::{
    ChangeError, Clock, EndReport, Ended, Entropy, LaneQueue, Live, Model, PayloadKind, Payloads, QueueError,
    Released, Store, StoreError, Update,
};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{Change, LaneId, ModelError, ModelErrorKind, Request, RequestId, Settlement};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a full store is left alone before a call's end is offered again.
const FULL_STORE_PAUSE: Duration = Duration::from_secs(1);

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

struct LaneSide {
    config: LaneConfig,
    opening: Opening,
    meters: Meters,
}

/// Makes the calls of every lane; how many at once is the lanes' ledgers' business.
pub struct Worker {
    ports: WorkerPorts,
    lanes: BTreeMap<LaneId, LaneSide>,
    calls: TaskTracker,
}

impl Worker {
    /// A worker for these lanes.
    pub fn new(
        ports: WorkerPorts,
        lanes: impl IntoIterator<Item = LaneConfig>,
        pace: OpeningPace,
    ) -> Arc<Self> {
        let side = |config: LaneConfig| {
            let meters = Meters::of(&config);
            (
                config.id.clone(),
                LaneSide {
                    opening: Opening::new(pace),
                    meters,
                    config,
                },
            )
        };
        Arc::new(Self {
            ports,
            lanes: lanes.into_iter().map(side).collect(),
            calls: TaskTracker::new(),
        })
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
            self.calls.spawn(async move { worker.take(next).await });
        }
    }

    /// Waits for the calls under way, at most `limit`. Returns how many are still running then.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.calls.close();
        // What is not over by then is reported; the store calls it INDETERMINATE at the next start.
        let _ = tokio::time::timeout(limit, self.calls.wait()).await;
        self.calls.len()
    }

    async fn take(&self, released: Released) {
        let Some(lane) = self.lanes.get(&released.lane) else {
            tracing::error!(lane = %released.lane, request = %released.request, "released on a lane not configured here");
            return;
        };
        lane.opening.turn().await;
        let claim = Change::Claim {
            call: released.call,
            at: self.ports.clock.now(),
        };
        match self.ports.store.change(released.request, claim).await {
            Ok(row) => self.call(lane, row).await,
            // Cancelled, expired, claimed by another, or too late: not ours.
            Err(ChangeError::Refused(why)) => {
                tracing::debug!(request = %released.request, call = %released.call, %why, "claim refused");
            }
            Err(error) => {
                tracing::error!(request = %released.request, call = %released.call, %error, "claim failed");
            }
        }
    }

    async fn call(&self, lane: &LaneSide, row: Request) {
        let at = row.started_at.unwrap_or_else(|| self.ports.clock.now());
        self.tell_lane(
            &row.lane,
            Event::Started {
                request: row.id,
                call: row.call,
                at,
            },
        )
        .await;
        // Held to the end of this function: as long as it is, the end is this runner's to tell.
        let mut aborted = self.ports.live.aborted(row.id);
        self.ports.live.publish(row.id, Update::Call(row.call));
        // Readable for certain only now: the body's own write was begun before the claim's.
        let attempt = match self.ports.payloads.fetch(row.id, PayloadKind::Body).await {
            Ok(Some(body)) => {
                let around = Around {
                    model: self.ports.model.as_ref(),
                    live: self.ports.live.as_ref(),
                    clock: self.ports.clock.as_ref(),
                    aborted: &mut aborted,
                };
                attempt::make(around, &row, &lane.config, body).await
            }
            Ok(None) => unreadable(ModelErrorKind::Validation, "its body is not in the store"),
            Err(error @ StoreError::Damaged(_)) => unreadable(ModelErrorKind::Validation, &error.to_string()),
            // Nothing was sent, and the next look may well succeed.
            Err(error) => unreadable(ModelErrorKind::Connect, &error.to_string()),
        };
        let random = self.ports.entropy.below(u64::MAX);
        let conclusion = conclude(&row, &lane.config, attempt, self.ports.clock.now(), random);
        lane.meters
            .ended(&row, &conclusion.settlement, conclusion.first_output_at);
        self.settle(&row, conclusion).await;
        drop(aborted);
    }

    async fn settle(&self, row: &Request, conclusion: Conclusion) {
        let (again, result) = (conclusion.again, conclusion.result.clone());
        let Settlement {
            call,
            charged,
            throttle,
            at,
            ..
        } = conclusion.settlement;
        let event = |again| Event::Ended {
            request: row.id,
            call,
            charged,
            throttle,
            again,
            at,
        };
        // An answer ends the request whatever else happens, so its lane may go on at once. Whoever waits again
        // is told of only when its row says so: the lane would release it, and be refused.
        let at_once = self.ports.store.commits_in_order() && again == Again::No;
        if at_once {
            self.tell_lane(&row.lane, event(again)).await;
        }
        let report = match self.store_end(row.id, &conclusion).await {
            Ok(report) => report,
            Err(error) => return self.not_settled(row.id, &error),
        };
        if !at_once {
            let again = if report.request.is_ok() { again } else { Again::No };
            self.tell_lane(&row.lane, event(again)).await;
        }
        match report.request {
            Ok(request) if request.state.is_terminal() => {
                let ended = Ended { request, result };
                self.ports.live.publish(row.id, Update::Ended(Arc::new(ended)));
            }
            Ok(request) => self.ports.live.publish(row.id, Update::State(request.state)),
            // Cancelled or expired while the call ended: the outbox tells of that.
            Err(why) => tracing::debug!(request = %row.id, %call, %why, "the call's outcome came too late"),
        }
    }

    /// Stores a call's end. A full disk is waited out: the call is paid for, its answer is here, and nobody else
    /// can say how it ended.
    async fn store_end(&self, id: RequestId, conclusion: &Conclusion) -> Result<EndReport, StoreError> {
        loop {
            match self.try_to_store(id, conclusion).await {
                Err(error @ StoreError::Full(_)) => {
                    tracing::error!(request = %id, %error, "a call's end waits for room in the store");
                    tokio::time::sleep(FULL_STORE_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    async fn try_to_store(&self, id: RequestId, conclusion: &Conclusion) -> Result<EndReport, StoreError> {
        let kept = match conclusion.result.clone() {
            None => None,
            Some(bytes) => Some(self.ports.payloads.keep(id, PayloadKind::Result, bytes).await?),
        };
        let Conclusion {
            settlement, change, ..
        } = conclusion;
        self.ports
            .store
            .end(id, settlement.clone(), change.clone(), kept)
            .await
    }

    fn not_settled(&self, id: RequestId, error: &StoreError) {
        tracing::error!(request = %id, %error, "a call's end could not be stored; its outcome is lost with it");
    }

    async fn tell_lane(&self, lane: &LaneId, event: Event) {
        match self.ports.lanes.send(lane, event).await {
            Ok(()) => {}
            // The lanes stop before the calls under way; the store says it all at the next start.
            Err(QueueError::Closed(_)) => tracing::debug!(%lane, "a call ended after its lane had stopped"),
            Err(error) => tracing::warn!(%lane, %error, "a lane could not be told of a call"),
        }
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
        shown: false,
    }
}
