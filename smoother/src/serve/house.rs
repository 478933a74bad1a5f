//! The whole pipeline on one machine, wired: every stage with its ports.

use super::learning::Learning;
use super::listen::Listener;
use super::logbook::Logbook;
use super::tasks::{Loss, Tasks};
use anyhow::Context;
use arc_swap::ArcSwap;
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use smoother_bedrock::Bedrock;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{BoxFuture, Clock, Released, StoreError};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Request, Timestamp};
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
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Ended requests past their retention are looked for ten times a retention, within these bounds.
const PURGE_EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10 * 60));
/// However long the calls took to end, their answers get at least this long to be read.
const READING: Duration = Duration::from_secs(5);

/// The running pipeline.
pub(crate) struct House {
    /// As last applied.
    pub(super) config: Arc<ArcSwap<Config>>,
    store: Arc<SqliteStore>,
    pub(super) ingest: Arc<Ingest>,
    pub(super) results: Arc<Results>,
    pub(super) queues: Arc<LaneChannels>,
    pub(super) desk: Arc<Desk>,
    pub(super) model: Arc<Bedrock>,
    pub(super) lane_ports: Arc<LanePorts>,
    pub(super) worker: Arc<Worker>,
    /// Lanes that the configuration no longer names; what is in them goes on.
    pub(super) leaving: Mutex<BTreeMap<LaneId, LaneConfig>>,
    loss: Loss,
    /// Stopped first: they start calls.
    lanes: Tasks,
    /// Stopped next: whoever asks how things stand is answered until there is nothing more to tell.
    doors: Tasks,
    /// Stopped last: they tell of ends and tidy up.
    chores: Tasks,
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
                uploads: None,
                outputs: None,
                clock: clock.clone(),
                entropy: Arc::new(OsEntropy),
            },
            config.clone(),
        );
        ingest.restore(store.outputs().await?);
        let worker = Worker::new(
            WorkerPorts {
                store: store.clone(),
                payloads: store.clone(),
                lanes: channels.clone(),
                live: hub.clone(),
                model: model.clone(),
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
                views: desk.clone(),
                clock: clock.clone(),
            },
            ResultsConfig {
                lanes: config.lanes.values().cloned().collect(),
                trust_tenant: config.server.trust_tenant,
                hooks: vec![
                    Arc::new(Learning::new(ingest.clone(), store.clone())),
                    Arc::new(Logbook),
                ],
                ..ResultsConfig::default()
            },
        );
        let lane_ports = Arc::new(LanePorts {
            store: store.clone(),
            payloads: store.clone(),
            dispatch: Arc::new(dispatch),
            lanes: channels.clone(),
            clock: clock.clone(),
        });
        let loss = Loss::none_yet();
        let house = Self {
            config: Arc::new(ArcSwap::from_pointee(config)),
            store,
            ingest,
            results,
            queues: channels,
            desk,
            model,
            lane_ports,
            worker,
            leaving: Mutex::default(),
            lanes: Tasks::new(loss.clone()),
            doors: Tasks::new(loss.clone()),
            chores: Tasks::new(loss.clone()),
            loss,
        };
        house.take_up(events, questions).await?;
        house.start(released, clock);
        Ok(Built {
            house,
            fatal: opened.fatal,
        })
    }

    fn start(&self, released: UnboundedReceiver<Released>, clock: Arc<dyn Clock>) {
        let worker = self.worker.clone().run(released, self.lanes.stop_token());
        self.lanes.start("the worker's task", worker);
        let outbox = self.results.clone().run_outbox(self.chores.stop_token());
        self.chores.start("the outbox's task", outbox);
        let (store, config) = (self.store.clone(), self.config.clone());
        let removal = purge(store, clock, config, self.chores.stop_token());
        self.chores.start("the task that removes ended requests", removal);
    }

    async fn take_up(
        &self,
        mut events: HashMap<LaneId, UnboundedReceiver<Event>>,
        mut questions: BTreeMap<LaneId, Questions>,
    ) -> anyhow::Result<()> {
        let config = self.config.load_full();
        for lane in config.lanes.values() {
            let loaded = Lane::load(&config, lane, self.lane_ports.clone()).await?;
            if let (Some(events), Some(questions)) = (events.remove(&lane.id), questions.remove(&lane.id)) {
                self.start_lane(&lane.id, loaded, events, questions);
            }
        }
        Ok(())
    }

    /// Sets a loaded lane, and the requests that wait in it, to work.
    pub(super) fn start_lane(
        &self,
        id: &LaneId,
        (task, waiting): (Lane, Vec<Request>),
        events: UnboundedReceiver<Event>,
        questions: Questions,
    ) {
        // Their callers were cut off by the stop; an SDK sends again and joins.
        waiting
            .iter()
            .for_each(|request| self.ingest.await_return(request));
        let running = task.run(events, questions, self.lanes.stop_token());
        self.lanes.start(format_args!("the task of lane {id}"), running);
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

    /// Every part that can be lost, with a way to lose it.
    #[cfg(test)]
    pub(super) fn parts(&self) -> Vec<(String, tokio::task::AbortHandle)> {
        let groups = [&self.lanes, &self.doors, &self.chores];
        groups.into_iter().flat_map(Tasks::handles).collect()
    }

    /// Where the loss of one of its tasks is known.
    pub(crate) fn loss(&self) -> Loss {
        self.loss.clone()
    }

    /// Opens every HTTP door on `listener`.
    pub(crate) fn open_doors(&self, listener: Listener, metrics: PrometheusHandle) {
        let serving = listener.serve(self.router(metrics), self.doors.stop_token());
        self.doors.start("the listener's task", serving);
    }

    fn router(&self, metrics: PrometheusHandle) -> Router {
        let probes = Probes {
            readiness: Arc::new(readiness(self.ingest.clone(), self.loss())),
            metrics: Arc::new(move || metrics.render()),
        };
        self.ingest
            .router()
            .merge(self.results.router(probes))
            .method_not_allowed_fallback(no_such_method)
            .fallback(no_such_door)
    }

    /// Admits nothing more, releases nothing more, and lets running calls finish, answering reads until they
    /// have; then closes the doors. Returns how many calls could not finish.
    pub(crate) async fn drain(&self) -> usize {
        let patience = self.config.load().server.drain_timeout.into();
        let over = Instant::now() + patience;
        self.ingest.drain().await;
        self.lanes.stop().await;
        let left = self.worker.drain(patience).await;
        // Long polls get what there is now; nothing more will happen here.
        self.results.drain();
        let reading = over.saturating_duration_since(Instant::now()).max(READING);
        // Whoever was answered has its answer before the process goes.
        if timeout(reading, self.doors.stop()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain");
        }
        left
    }

    /// Tells what has ended, flushes and closes the store.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.chores.stop().await;
        if let Err(error) = self.store.keep_outputs(self.ingest.to_keep()).await {
            tracing::warn!(%error, "what was learned of outputs is not kept whole");
        }
        self.store.close().await.context("the store could not be closed")
    }
}

fn readiness(ingest: Arc<Ingest>, loss: Loss) -> impl Fn() -> Readiness + Send + Sync {
    move || match loss.known() {
        Some(lost) => Readiness::NotReady(lost.to_string()),
        None if ingest.is_draining() => Readiness::NotReady("the server is stopping".to_owned()),
        None => Readiness::Ready,
    }
}

/// Requests that wait in a lane which the configuration no longer names would wait for ever, and so would those whose
/// chain leads there.
async fn nobody_left_behind(store: &SqliteStore, config: &Config) -> anyhow::Result<()> {
    for (lane, count) in store.open_lanes().await? {
        anyhow::ensure!(
            config.lanes.contains_key(&lane),
            "{count} request(s) in {} are not over and belong to lane {lane}, which is not configured; configure \
             [lanes.{lane}] again until they are, or choose another data_dir",
            config.server.data_dir
        );
    }
    for (lane, count) in store.lanes_ahead().await? {
        anyhow::ensure!(
            config.lanes.contains_key(&lane),
            "{count} request(s) in {} are not over and may go on in lane {lane}, which is not configured; configure \
             [lanes.{lane}] again until they are, or choose another data_dir",
            config.server.data_dir
        );
    }
    Ok(())
}

async fn purge(
    store: Arc<SqliteStore>,
    clock: Arc<dyn Clock>,
    config: Arc<ArcSwap<Config>>,
    stop: CancellationToken,
) {
    loop {
        let often = Duration::from(config.load().server.retention) / 10;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(often.clamp(PURGE_EVERY.0, PURGE_EVERY.1)) => {}
        }
        let retention = config.load().server.retention;
        match store.purge(clock.now().before(retention)).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "ended requests past their retention were removed"),
            Err(error) => tracing::error!(%error, "ended requests past their retention could not be removed"),
        }
    }
}
