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
use smoother_core::{CallNo, LaneId, Millis, RequestId, State, Timestamp};
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
            let waiting = Waiting::from(&row);
            let forecast = report.forecast(row.priority, row.due());
            // One that comes back from a call stands before its tenant's others.
            let forecast = if row.call == CallNo::NONE {
                forecast.not_before(report.at_best(&waiting))
            } else {
                forecast
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Answer, Script, chance};
    use crate::store::tests::request;
    use serde_json::json;
    use smoother_core::scheduler::Event;
    use smoother_core::{Priority, TenantId};

    const CONFIG: &str = r#"
        [lanes.sonnet]
        model = "us.amazon.nova-pro-v1:0"
        region = "us-east-1"
        tokens_per_minute = 1000000
        max_concurrency = 1
        [limits]
        waiting = 4
        shed = true
        [tenants.acme]
        max_waiting = 3
    "#;

    /// One that waits, or would.
    fn one(number: u8, tenant: &str, priority: Priority) -> Waiting {
        let mut row = request();
        row.id = RequestId::fresh(row.arrived_at, [number; 10]);
        row.tenant = TenantId::new(tenant).unwrap();
        row.priority = priority;
        Waiting::priced(&row, 1)
    }

    /// The lanes as their reports tell, of which one was written as the item of VIEW that the table gives back; so often
    /// it may be read.
    fn views(reads: usize, waiting: impl IntoIterator<Item = Waiting>) -> (StoredViews, Script) {
        let config = Config::load(Some(("test", CONFIG)), Vec::new()).unwrap();
        let lane = &config.lanes[&request().lane];
        let now = request().arrived_at;
        let mut scheduler = Scheduler::new(SchedulerConfig::of(&config, lane), now);
        for one in waiting {
            scheduler.step(now, Event::Arrived(one));
        }
        let doc = serde_json::to_string(&scheduler.report(now)).unwrap();
        let item = json!({"Item": {
            "pk": {"S": "L#sonnet"}, "sk": {"S": "VIEW"}, "v": {"N": "1"}, "epoch": {"N": "1"}, "seq": {"N": "1"},
            "doc": {"S": doc},
        }});
        let script = Script::default().times(reads, || Answer::Json(200, item.clone()));
        let hold = DynamoHold::new(
            crate::clients::dynamodb(&script.environment()),
            "requests",
            chance(),
        );
        let store = Arc::new(script.store());
        let clock = Arc::new(crate::clock::WallClock::new());
        (StoredViews::new(Arc::new(hold), store, clock, config), script)
    }

    /// What a newcomer is told: the bound that keeps it out, if one does.
    async fn told(views: &StoredViews, newcomer: Waiting) -> Option<&'static str> {
        match views.admit(&request().lane, newcomer).await.unwrap() {
            Ok(_) => None,
            Err(TurnedAway::Full(full)) => Some(full.key()),
            Err(TurnedAway::Late(late)) => panic!("{late:?}"),
        }
    }

    #[tokio::test]
    async fn bounds_are_judged_by_what_the_holder_has_written_down() {
        // One is let go, three wait.
        let (views, script) = views(1, (0..4).map(|number| one(number, "acme", Priority::Batch)));
        assert_eq!(
            told(&views, one(9, "acme", Priority::Batch)).await,
            Some("tenants.*.max_waiting")
        );
        assert_eq!(
            told(&views, one(9, "acme", Priority::Normal)).await,
            None,
            "room is made"
        );
        assert_eq!(told(&views, one(9, "other", Priority::Batch)).await, None);
        assert_eq!(script.asked(), ["GetItem"], "what was read serves for a second");
    }

    #[tokio::test]
    async fn nobody_is_kept_out_of_a_lane_that_nobody_ever_held() {
        let (views, _) = views(0, []);
        let script = Script::default().then(Answer::done());
        let hold = DynamoHold::new(
            crate::clients::dynamodb(&script.environment()),
            "requests",
            chance(),
        );
        let views = StoredViews {
            reports: Arc::new(hold),
            ..views
        };
        assert_eq!(told(&views, one(9, "acme", Priority::Batch)).await, None);
    }
}
