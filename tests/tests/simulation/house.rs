//! One process: the whole pipeline, wired as `smoother serve` wires it, over the simulation's adapters.

use super::broken::Broken;
use super::life::Life;
use super::rig::{Part, Rig, RigDispatch, RigLanes, RigModel, RigStore, RigViews};
use super::scenario::{MODELS, TENANTS};
use super::town::Town;
use axum::Router;
use smoother_core::config::Config;
use smoother_core::estimate::{Answered, Answers, OutputKey, Outputs};
use smoother_core::model::{FreeAnswer, FreeCall};
use smoother_core::ports::{BoxFuture, FreeCalls, LaneQueue, LaneViews, Live, OutboxEntry, Store};
use smoother_core::scheduler::{Event, LaneView, Waiting};
use smoother_core::{Change, ModelError, ModelErrorKind, ModelId, Request, TenantId, Timestamp, Tokens};
use smoother_embedded::Hub;
use smoother_ingest::{Ingest, IngestPorts};
use smoother_prioritizer::{Desk, Lane, LanePorts, LoadError};
use smoother_results::{Notify, NotifyError, Probes, Readiness, Results, ResultsConfig, ResultsPorts};
use smoother_tests::memory::Process;
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// The running pipeline.
pub struct House {
    pub process: Process,
    /// The worker's own, where it is one.
    other: Option<Process>,
    pub ingest: Arc<Ingest>,
    pub results: Arc<Results>,
    pub router: Router,
    pub hub: Arc<Hub>,
    /// Everything but the worker.
    pub front: Life,
    /// The worker.
    pub back: Life,
    desk: Arc<Desk>,
    worker: Arc<Worker>,
    store: Arc<RigStore>,
    lanes: Arc<RigLanes>,
    stop_lanes: CancellationToken,
    stop_outbox: CancellationToken,
    tasks: Mutex<Vec<AbortHandle>>,
    config: Config,
}

/// A part's adapters.
struct Adapters {
    rig: Rig,
    store: Arc<RigStore>,
    lanes: Arc<RigLanes>,
}

impl House {
    /// Takes up what is stored and starts every stage.
    ///
    /// # Errors
    /// As a server that does not come up.
    pub async fn open(town: &Town, process: Process) -> Result<Arc<Self>, LoadError> {
        let config = believed(&town.config, town.mischief.broken);
        let ids = || config.lanes.keys().cloned();
        let (lanes, mut events) = process.lanes(ids());
        let (dispatch, released) = process.dispatch();
        let (lanes, store) = (Arc::new(lanes), process.store());
        town.post.serve(&lanes);
        // On one machine all stages are one process; elsewhere a worker lives and dies by itself.
        let other = (!town.one_machine).then(|| town.world.boot());
        let workers = other.as_ref().map_or_else(|| store.clone(), Process::store);
        let (desk, mut questions) = Desk::open(ids());
        let (desk, hub) = (Arc::new(desk), Arc::new(Hub::new()));
        let (front, back) = (Life::new(), Life::new());
        let adapters = |part: Part, life: &Life| {
            let rig = Rig {
                part,
                life: life.clone(),
                world: town.world.clone(),
                judge: town.judge.clone(),
                hub: hub.clone(),
                post: town.post.clone(),
                mischief: town.mischief.clone(),
            };
            Adapters {
                store: Arc::new(RigStore {
                    rig: rig.clone(),
                    store: if part == Part::Worker {
                        workers.clone()
                    } else {
                        store.clone()
                    },
                }),
                lanes: Arc::new(RigLanes {
                    rig: rig.clone(),
                    lanes: lanes.clone(),
                }),
                rig,
            }
        };
        let (clock, entropy) = (Arc::new(town.world.clock()), Arc::new(town.world.entropy()));

        let own = adapters(Part::WayIn, &front);
        let ingest = Ingest::new(
            IngestPorts {
                store: own.store.clone(),
                payloads: own.store.clone(),
                lanes: own.lanes.clone(),
                live: hub.clone(),
                views: Arc::new(RigViews {
                    rig: own.rig.clone(),
                    desk: desk.clone(),
                }),
                free: Arc::new(NothingFree),
                uploads: None,
                outputs: None,
                clock: clock.clone(),
                entropy: entropy.clone(),
            },
            config.clone(),
        );
        ingest.restore(taught());
        let Adapters { rig, store, lanes } = adapters(Part::Worker, &back);
        let worker = Worker::new(
            WorkerPorts {
                store: store.clone(),
                payloads: store,
                lanes,
                live: hub.clone(),
                model: Arc::new(RigModel {
                    rig,
                    model: town.model.called_by(other.as_ref().unwrap_or(&process).number()),
                    upstream: town.upstream.clone(),
                }),
                clock: clock.clone(),
                entropy,
            },
            config.lanes.values().cloned(),
            OpeningPace::default(),
        );
        let Adapters { rig, store, .. } = adapters(Part::WayOut, &front);
        let listener = Listener {
            ingest: ingest.clone(),
            rig,
        };
        let results = Results::new(
            ResultsPorts {
                store: store.clone(),
                payloads: store.clone(),
                outbox: store,
                live: hub.clone(),
                views: desk.clone(),
                clock: clock.clone(),
            },
            ResultsConfig {
                lanes: config.lanes.values().cloned().collect(),
                hooks: vec![Arc::new(listener)],
                ..ResultsConfig::default()
            },
        );
        let Adapters { rig, store, lanes } = adapters(Part::Lanes, &front);
        let ports = Arc::new(LanePorts {
            store: store.clone(),
            payloads: store,
            dispatch: Arc::new(RigDispatch {
                rig,
                dispatch: Arc::new(dispatch),
            }),
            lanes,
            clock,
        });
        let probes = Probes {
            readiness: Arc::new(|| Readiness::Ready),
            metrics: Arc::new(String::new),
        };
        let house = Arc::new(Self {
            router: ingest.router().merge(results.router(probes)),
            process,
            other,
            ingest,
            results,
            hub,
            front,
            back,
            desk,
            worker,
            store: own.store,
            lanes: own.lanes,
            stop_lanes: CancellationToken::new(),
            stop_outbox: CancellationToken::new(),
            tasks: Mutex::default(),
            config,
        });
        for lane in house.config.lanes.values() {
            let (task, waiting) = Lane::load(&house.config, lane, ports.clone()).await?;
            waiting.iter().for_each(|row| house.ingest.await_return(row));
            if let (Some(events), Some(questions)) = (events.remove(&lane.id), questions.remove(&lane.id)) {
                house.start(task.run(events, questions, house.stop_lanes.clone()));
            }
        }
        house.start(house.worker.clone().run(released, house.stop_lanes.clone()));
        house.start(house.results.clone().run_outbox(house.stop_outbox.clone()));
        Ok(house)
    }

    fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(task).abort_handle();
        self.tasks().push(handle);
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process at this moment.
    pub fn crash(&self) {
        self.process.crash();
        self.other.iter().for_each(Process::crash);
        self.front.end();
        self.back.end();
        self.tasks().iter().for_each(AbortHandle::abort);
    }

    /// Everything ends but the worker, which stands still.
    pub fn leave_the_worker(&self) {
        self.process.crash();
        self.front.end();
        self.back.stand_still(true);
        // The worker's calls run by themselves; what takes them up ends, as the lanes do.
        self.tasks().iter().for_each(AbortHandle::abort);
    }

    /// As a server that is told to stop.
    pub async fn stop(&self) {
        self.ingest.drain().await;
        self.stop_lanes.cancel();
        self.worker.drain(self.config.server.drain_timeout.into()).await;
        self.results.drain();
        self.stop_outbox.cancel();
    }

    /// Commits what was begun, and ends.
    pub fn close(&self) {
        self.process.close();
        self.other.iter().for_each(Process::close);
        self.front.end();
        self.back.end();
        self.tasks().iter().for_each(AbortHandle::abort);
    }

    /// Sends a dead letter on its way again, as an operator does.
    pub async fn redrive(&self, row: &Request) {
        let Ok(row) = self.store.change(row.id, Change::Redrive).await else {
            return;
        };
        self.hub.reopen(row.id, row.rev);
        let burndown = self
            .config
            .lanes
            .get(&row.lane)
            .map_or(1, |lane| lane.output_burndown);
        let arrived = Event::Arrived(Waiting::priced(&row, burndown));
        drop(self.lanes.send(&row.lane, arrived).await);
    }

    /// Every lane as it shows itself.
    pub async fn views(&self) -> Vec<LaneView> {
        let mut views = Vec::new();
        for lane in self.config.lanes.keys() {
            views.extend(self.desk.view(lane).await);
        }
        views
    }
}

/// The configuration as the house has it.
fn believed(config: &Config, broken: Option<Broken>) -> Config {
    let mut config = config.clone();
    if broken == Some(Broken::QuotaDoubled) {
        for lane in config.lanes.values_mut() {
            lane.tokens_per_minute = smoother_core::TokensPerMinute::new(lane.tokens_per_minute.get() * 2);
        }
    }
    config
}

/// What the way in has learned before: answers are so short that calls may be sent with 128 tokens of output.
fn taught() -> Vec<(OutputKey, Answers)> {
    static TAUGHT: OnceLock<Vec<(OutputKey, Answers)>> = OnceLock::new();
    let learn = || {
        let mut outputs = Outputs::default();
        for (model, tenant, digits) in MODELS
            .iter()
            .flat_map(|model| TENANTS.iter().map(move |tenant| (model, tenant)))
            .flat_map(|(model, tenant)| (8..12).map(move |digits| (model, tenant, digits)))
        {
            let (model, tenant) = (ModelId::new(model), TenantId::new(tenant));
            let answered = Answered {
                model: &model.expect("a model's id"),
                tenant: &tenant.expect("a tenant's name"),
                max_output: Tokens::new((1 << digits) - 1),
                output: Tokens::new(100),
                cut_short: None,
            };
            (0..200).for_each(|_| outputs.observe(&answered, Timestamp::EPOCH));
        }
        let kept = outputs.to_keep(true).into_iter();
        kept.filter_map(|(key, answers)| Some((key, answers?))).collect()
    };
    TAUGHT.get_or_init(learn).clone()
}

/// Who is told of ends: the judge, and the way in, which learns from them.
struct Listener {
    ingest: Arc<Ingest>,
    rig: Rig,
}

impl Notify for Listener {
    fn name(&self) -> &'static str {
        "simulation"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        self.rig.judge.told(&entry.request);
        self.ingest.ended(&entry.request);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// No caller of a simulation asks for what is free.
struct NothingFree;

impl FreeCalls for NothingFree {
    fn forward(&self, _: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>> {
        Box::pin(std::future::ready(Err(ModelError {
            kind: ModelErrorKind::Setup,
            status: 500,
            exception: "InternalServerException".to_owned(),
            message: "there is nothing free here".to_owned(),
            headers: Vec::new(),
            retry_after_ms: None,
        })))
    }
}
