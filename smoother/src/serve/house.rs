//! The whole pipeline on one machine, wired: every stage with its ports.

use super::learning::Learning;
use anyhow::Context;
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use smoother_bedrock::Bedrock;
use smoother_core::config::Config;
use smoother_core::ports::{BoxFuture, Clock, StoreError};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Millis, Timestamp};
use smoother_embedded::{
    DispatchChannel, Hub, LaneChannels, OpenOptions, OsEntropy, SqliteStore, SystemClock,
};
use smoother_ingest::{Ingest, IngestPorts};
use smoother_prioritizer::{Desk, Lane, LanePorts, Questions};
use smoother_results::{
    Probes, Readiness, Results, ResultsConfig, ResultsPorts, no_such_door, no_such_method,
};
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often ended requests past their retention are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The running pipeline.
pub(crate) struct House {
    config: Config,
    store: Arc<SqliteStore>,
    ingest: Arc<Ingest>,
    results: Arc<Results>,
    #[cfg(test)]
    queues: Arc<LaneChannels>,
    worker: Arc<Worker>,
    lanes: TaskTracker,
    chores: TaskTracker,
    stop_lanes: CancellationToken,
    stop_chores: CancellationToken,
}

/// The pipeline, and what ends the process if the store has to stop.
pub(crate) struct Built {
    pub(crate) house: House,
    pub(crate) fatal: BoxFuture<'static, StoreError>,
}

impl House {
    /// Opens the store, takes up what is in it, and starts every stage.
    pub(crate) async fn build(config: Config) -> anyhow::Result<Built> {
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let options = OpenOptions {
            durability: config.server.durability,
            ..OpenOptions::new(&config.server.data_dir)
        };
        let opened =
            SqliteStore::open(&options, clock.clone()).context("the data directory cannot be used")?;
        clock.raise(opened.newest);
        let store = opened.store;
        nobody_left_behind(&store, &config).await?;
        let hub = Arc::new(Hub::new());
        let (channels, events) = LaneChannels::new(config.lanes.keys().cloned());
        let (desk, questions) = Desk::open(config.lanes.keys().cloned());
        let (dispatch, released) = DispatchChannel::new();
        let (channels, desk) = (Arc::new(channels), Arc::new(desk));
        let options = smoother_bedrock::Options::default();
        let model = Arc::new(Bedrock::connect(config.lanes.values(), options).await?);

        let ingest = Ingest::new(
            IngestPorts {
                store: store.clone(),
                payloads: store.clone(),
                lanes: channels.clone(),
                live: hub.clone(),
                views: desk.clone(),
                free: model.clone(),
                clock: clock.clone(),
                entropy: Arc::new(OsEntropy),
            },
            config.clone(),
        );
        let worker = Worker::new(
            WorkerPorts {
                store: store.clone(),
                payloads: store.clone(),
                lanes: channels.clone(),
                live: hub.clone(),
                model,
                clock: clock.clone(),
                entropy: Arc::new(OsEntropy),
            },
            config.lanes.values().cloned(),
            OpeningPace::default(),
        );
        let results = Results::new(
            ResultsPorts {
                store: store.clone(),
                payloads: store.clone(),
                outbox: store.clone(),
                live: hub,
                views: desk,
                clock: clock.clone(),
            },
            ResultsConfig {
                lanes: config.lanes.values().cloned().collect(),
                hooks: vec![Arc::new(Learning::new(ingest.clone()))],
                ..ResultsConfig::default()
            },
        );
        let house = Self {
            config,
            store: store.clone(),
            ingest,
            results,
            #[cfg(test)]
            queues: channels,
            worker,
            lanes: TaskTracker::new(),
            chores: TaskTracker::new(),
            stop_lanes: CancellationToken::new(),
            stop_chores: CancellationToken::new(),
        };
        let ports = Arc::new(LanePorts {
            store,
            dispatch: Arc::new(dispatch),
            clock: clock.clone(),
        });
        house.take_up(ports, events, questions).await?;
        house
            .lanes
            .spawn(house.worker.clone().run(released, house.stop_lanes.clone()));
        house
            .chores
            .spawn(house.results.clone().run_outbox(house.stop_chores.clone()));
        house.chores.spawn(purge(
            house.store.clone(),
            clock.clone(),
            house.config.server.retention,
            house.stop_chores.clone(),
        ));
        Ok(Built {
            house,
            fatal: opened.fatal,
        })
    }

    async fn take_up(
        &self,
        ports: Arc<LanePorts>,
        mut events: HashMap<LaneId, UnboundedReceiver<Event>>,
        mut questions: BTreeMap<LaneId, Questions>,
    ) -> anyhow::Result<()> {
        for lane in self.config.lanes.values() {
            let (task, waiting) = Lane::load(&self.config, lane, ports.clone()).await?;
            // Their callers were cut off by the stop; an SDK sends again and joins.
            waiting
                .iter()
                .for_each(|request| self.ingest.await_return(request));
            if let (Some(events), Some(questions)) = (events.remove(&lane.id), questions.remove(&lane.id)) {
                self.lanes
                    .spawn(task.run(events, questions, self.stop_lanes.clone()));
            }
        }
        Ok(())
    }

    /// A copy of everything that passes the lane queues from now on.
    #[cfg(test)]
    pub(super) fn tap(&self) -> UnboundedReceiver<(LaneId, Event)> {
        self.queues.tap()
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    /// Every HTTP door.
    pub(crate) fn router(&self, metrics: PrometheusHandle) -> Router {
        let ingest = self.ingest.clone();
        let readiness = Arc::new(move || {
            if ingest.is_draining() {
                Readiness::NotReady("the server is stopping".to_owned())
            } else {
                Readiness::Ready
            }
        });
        let probes = Probes {
            readiness,
            metrics: Arc::new(move || metrics.render()),
        };
        self.ingest
            .router()
            .merge(self.results.router(probes))
            .method_not_allowed_fallback(no_such_method)
            .fallback(no_such_door)
    }

    /// Admits nothing more, releases nothing more, and lets running calls finish. Returns how many could not.
    pub(crate) async fn drain(&self) -> usize {
        let patience = self.config.server.drain_timeout.into();
        self.ingest.drain().await;
        self.stop_lanes.cancel();
        self.lanes.close();
        self.lanes.wait().await;
        let left = self.worker.drain(patience).await;
        // Long polls get what there is now; nothing more will happen here.
        self.results.drain();
        left
    }

    /// Tells what has ended, flushes and closes the store.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.stop_chores.cancel();
        self.chores.close();
        self.chores.wait().await;
        self.store.close().await.context("the store could not be closed")
    }
}

/// Requests that wait in a lane which the configuration no longer names would wait for ever.
async fn nobody_left_behind(store: &SqliteStore, config: &Config) -> anyhow::Result<()> {
    for (lane, count) in store.open_lanes().await? {
        anyhow::ensure!(
            config.lanes.contains_key(&lane),
            "{count} request(s) in {} are not over and belong to lane {lane}, which is not configured; configure \
             [lanes.{lane}] again until they are, or choose another data_dir",
            config.server.data_dir
        );
    }
    Ok(())
}

async fn purge(store: Arc<SqliteStore>, clock: Arc<dyn Clock>, retention: Millis, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
        match store.purge(clock.now().before(retention)).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "ended requests past their retention were removed"),
            Err(error) => tracing::error!(%error, "ended requests past their retention could not be removed"),
        }
    }
}
