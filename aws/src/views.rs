//! How lanes stand, as their holders last told.
//!
//! A holder writes its lane's report every few seconds. Whoever asks elsewhere reads that, and reads it again only
//! after a second. A lane that nobody ever held is shown as it would be taken up: empty, with its quota free.

use crate::hold::DynamoHold;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{BoxFuture, Clock, LaneViews, Store, StoreError};
use smoother_core::scheduler::{
    Forecast, LaneReport, LaneView, Scheduler, SchedulerConfig, TurnedAway, Waiting,
};
use smoother_core::{LaneId, Millis, RequestId, State, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long a report that was read serves.
const SERVES_FOR: Millis = Millis::from_secs(1);

/// Reads how a lane stands.
pub trait Reports: Send + Sync {
    /// As its holder last told; `None` where none ever did.
    fn report<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<LaneReport>, StoreError>>;
}

impl Reports for DynamoHold {
    fn report<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<LaneReport>, StoreError>> {
        Box::pin(Self::report(self, lane))
    }
}

/// The configured lanes, by their reports.
pub struct StoredViews {
    reports: Arc<dyn Reports>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    config: Config,
    read: BTreeMap<LaneId, Mutex<Option<(Timestamp, LaneReport)>>>,
}

impl StoredViews {
    /// For the lanes of `config`; where a request stands, its row in `store` helps to say.
    pub fn new(
        reports: Arc<dyn Reports>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Self {
        Self {
            reports,
            store,
            clock,
            read: config
                .lanes
                .keys()
                .map(|lane| (lane.clone(), Mutex::default()))
                .collect(),
            config,
        }
    }

    async fn report(&self, lane: &LaneConfig) -> Option<LaneReport> {
        // One who reads serves all who ask meanwhile.
        let mut read = self.read.get(&lane.id)?.lock().await;
        let now = self.clock.now();
        if let Some((at, report)) = &*read
            && now.since(*at) < SERVES_FOR
        {
            return Some(report.clone());
        }
        let report = match self.reports.report(&lane.id).await {
            Ok(Some(report)) => report,
            Ok(None) => Scheduler::new(SchedulerConfig::of(&self.config, lane), now).report(now),
            Err(error) => {
                tracing::warn!(lane = %lane.id, %error, "how the lane stands could not be read");
                return read.as_ref().map(|(_, report)| report.clone());
            }
        };
        *read = Some((now, report.clone()));
        Some(report)
    }
}

impl LaneViews for StoredViews {
    fn lanes(&self) -> Vec<LaneId> {
        self.config.lanes.keys().cloned().collect()
    }

    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        let lane = self.config.lanes.get(lane);
        Box::pin(async move { Some(self.report(lane?).await?.view) })
    }

    fn admit(&self, lane: &LaneId, newcomer: Waiting) -> BoxFuture<'_, Option<Result<Forecast, TurnedAway>>> {
        let lane = self.config.lanes.get(lane);
        Box::pin(async move {
            let lane = lane?;
            let config = SchedulerConfig::of(&self.config, lane);
            Some(self.report(lane).await?.admit(&config, &newcomer))
        })
    }

    fn forecast(&self, lane: &LaneId, id: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        let lane = self.config.lanes.get(lane);
        Box::pin(async move {
            let lane = lane?;
            let row = self.store.get(id).await;
            let row = row
                .inspect_err(|error| tracing::warn!(request = %id, %error, "where it stands cannot be told"))
                .ok()??;
            let waits = matches!(row.state, State::Received | State::Queued) && row.lane == lane.id;
            if !waits {
                return None;
            }
            let report = self.report(lane).await?;
            let forecast = report.forecast(row.priority, row.due());
            // A report is some seconds old, and what waits now has not started before now.
            let least = self.clock.now().max(row.not_before.unwrap_or(Timestamp::EPOCH));
            Some(Forecast {
                start: forecast.start.max(least),
                earliest: forecast.earliest.max(least),
                ..forecast
            })
        })
    }
}
