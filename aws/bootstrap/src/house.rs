//! The pipeline's parts on AWS, wired. A role takes those it needs; clients are made once a process.

use anyhow::{Context, ensure};
use aws_config::SdkConfig;
use smoother_aws::env::Environment;
use smoother_aws::queues::{self, LaneQueues, Outgoing, SqsQueue};
use smoother_aws::wake::{self, Prioritizer, Waker};
use smoother_aws::{
    Deployed, DynamoConnections, DynamoHold, DynamoOutputs, DynamoStore, EmbeddedMetrics, GatewaySockets,
    Parts, Patience, PushedOutbox, SignedUploads, SnsTopic, StoredViews, Terms, WallClock, Watching, clients,
    sockets, topic,
};
use smoother_bedrock::Bedrock;
use smoother_core::config::Config;
use smoother_core::ports::{Clock, Connections, FreeCalls, Mailbox, Released, Sockets, Uploads};
use smoother_core::request::Runner;
use smoother_embedded::{Hub, OsEntropy};
use smoother_ingest::{Ingest, IngestPorts, Teacher, TeacherPorts};
use smoother_results::{Herald, Notify, Outlets, Results, ResultsConfig, ResultsPorts};
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// What every role is built of.
pub(crate) struct House {
    pub(crate) config: Config,
    /// Which deployment this process is of.
    pub(crate) deployed: Deployed,
    pub(crate) environment: Environment,
    pub(crate) sdk: SdkConfig,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) chance: Arc<OsEntropy>,
    pub(crate) metrics: EmbeddedMetrics,
    pub(crate) store: Arc<DynamoStore>,
    pub(crate) hold: Arc<DynamoHold>,
    pub(crate) views: Arc<StoredViews>,
    pub(crate) outputs: Arc<DynamoOutputs>,
    pub(crate) lanes: Arc<LaneQueues>,
    /// Calls the prioritizer function.
    pub(crate) prioritizer: Arc<Prioritizer>,
}

impl House {
    /// Reads the environment and the configuration, makes the clients, and looks whether the table and the bucket are
    /// there.
    pub(crate) async fn build() -> anyhow::Result<Self> {
        let metrics = EmbeddedMetrics::new();
        metrics.install().context("metrics cannot be recorded")?;
        let environment = Environment::read(|name| std::env::var(name).ok())?;
        let (config, deployed) = configuration(&environment)?;
        let sdk = clients::environment().await;
        clients::check(&sdk).await?;
        let (clock, chance) = (Arc::new(WallClock::new()), Arc::new(OsEntropy));
        let dynamodb = clients::dynamodb(&sdk);
        let store = Arc::new(DynamoStore::new(Parts {
            dynamodb: dynamodb.clone(),
            table: environment.table.clone(),
            s3: clients::s3(&sdk),
            bucket: environment.bucket.clone(),
            patience: Patience::default(),
            terms: Terms::of(&config),
            clock: clock.clone(),
            entropy: chance.clone(),
        }));
        store
            .check()
            .await
            .context("the table or the bucket cannot be used")?;
        let table = environment.table.as_str();
        let outputs = DynamoOutputs::new(dynamodb.clone(), table, chance.clone());
        let hold = DynamoHold::new(dynamodb, table, chance.clone());
        let hold = Arc::new(hold.priced(Terms::of(&config)));
        let views = StoredViews::new(hold.clone(), store.clone(), clock.clone(), config.clone());
        let function = environment.prioritizer.as_str();
        let prioritizer = Arc::new(Prioritizer::new(wake::client(&sdk), function, chance.clone()));
        let lanes = config.lanes.keys().cloned();
        let waker = Waker::new(lanes, hold.clone(), prioritizer.clone(), clock.clone());
        let sqs = queues::sending(&sdk);
        let outgoing = |url: &String| {
            let queue = SqsQueue::new(sqs.clone(), url, "a lane's queue");
            Outgoing::new(queue, chance.clone())
        };
        let urls = environment.lane_queues.iter();
        let queues = urls.map(|(lane, url)| (lane.clone(), outgoing(url))).collect();
        Ok(Self {
            lanes: Arc::new(LaneQueues::new(queues, Arc::new(waker))),
            views: Arc::new(views),
            outputs: Arc::new(outputs),
            config,
            deployed,
            environment,
            sdk,
            clock,
            chance,
            metrics,
            store,
            hold,
            prioritizer,
        })
    }

    /// What requests are doing; what this process is to run by itself goes to `worker`.
    pub(crate) fn live(&self, worker: Option<UnboundedSender<Released>>) -> Arc<Watching> {
        Arc::new(Watching::new(Arc::new(Hub::new()), self.store.clone(), worker))
    }

    /// Bedrock, a client a lane. Nothing is sent.
    pub(crate) async fn model(&self) -> anyhow::Result<Arc<Bedrock>> {
        let options = smoother_bedrock::Options::default();
        Ok(Arc::new(
            Bedrock::connect(self.config.lanes.values(), options).await?,
        ))
    }

    /// The way in. `runner` makes the calls of those who wait on a connection.
    pub(crate) fn ingest(
        &self,
        config: Config,
        live: Arc<Watching>,
        free: Arc<dyn FreeCalls>,
        runner: Runner,
    ) -> Arc<Ingest> {
        let uploads = (runner == Runner::Caller).then(|| {
            let client = clients::s3(&self.sdk);
            let bucket = &self.environment.bucket;
            let uploads = SignedUploads::new(client, bucket, self.chance.clone(), self.clock.clone());
            Arc::new(uploads) as Arc<dyn Uploads>
        });
        let ports = IngestPorts {
            store: self.store.clone(),
            payloads: self.store.clone(),
            lanes: self.lanes.clone(),
            live,
            views: self.views.clone(),
            free,
            uploads,
            outputs: Some(self.outputs.clone()),
            clock: self.clock.clone(),
            entropy: self.chance.clone(),
        };
        Ingest::run_by(ports, config, runner)
    }

    /// Learns from ends, for the ways in.
    pub(crate) fn teacher(&self) -> Arc<Teacher> {
        let ports = TeacherPorts {
            store: self.store.clone(),
            lanes: self.lanes.clone(),
            waiting: self.hold.clone(),
            outputs: self.outputs.clone(),
            clock: self.clock.clone(),
        };
        Arc::new(Teacher::new(ports, self.config.clone()))
    }

    /// Makes calls.
    pub(crate) fn worker(&self, live: Arc<Watching>, model: Arc<Bedrock>) -> Arc<Worker> {
        let ports = WorkerPorts {
            store: self.store.clone(),
            payloads: self.store.clone(),
            lanes: self.lanes.clone(),
            live,
            model,
            clock: self.clock.clone(),
            entropy: self.chance.clone(),
        };
        Worker::new(ports, self.config.lanes.values().cloned(), OpeningPace::default())
    }

    /// The way out, with these listeners.
    pub(crate) fn results(&self, live: Arc<Watching>, hooks: Vec<Arc<dyn Notify>>) -> Arc<Results> {
        let ports = ResultsPorts {
            store: self.store.clone(),
            payloads: self.store.clone(),
            outbox: Arc::new(PushedOutbox),
            live,
            views: self.views.clone(),
            clock: self.clock.clone(),
        };
        let config = ResultsConfig {
            lanes: self.config.lanes.values().cloned().collect(),
            trust_tenant: self.config.server.trust_tenant,
            hooks,
            ..ResultsConfig::default()
        };
        Results::new(ports, config)
    }

    /// Tells ends to the results queue, the topic and the connections.
    pub(crate) fn herald(&self, mailboxes: Vec<Arc<dyn Mailbox>>) -> Herald {
        let outlets = Outlets {
            mailboxes,
            sockets: Some((self.sockets(), self.connections())),
        };
        Herald::new(self.store.clone(), self.clock.clone(), outlets)
    }

    /// A queue, as a mailbox.
    pub(crate) fn queue(&self, url: &str, name: &'static str) -> Arc<Outgoing> {
        let queue = SqsQueue::new(queues::sending(&self.sdk), url, name);
        Arc::new(Outgoing::new(queue, self.chance.clone()))
    }

    /// The topic, as a mailbox.
    pub(crate) fn topic(&self) -> Arc<Outgoing> {
        let topic = SnsTopic::new(topic::client(&self.sdk), &self.environment.topic);
        Arc::new(Outgoing::new(topic, self.chance.clone()))
    }

    /// Who listens on a WebSocket.
    pub(crate) fn connections(&self) -> Arc<dyn Connections> {
        let client = clients::dynamodb(&self.sdk);
        let table = &self.environment.table;
        Arc::new(DynamoConnections::new(
            client,
            table,
            self.clock.clone(),
            self.chance.clone(),
        ))
    }

    fn sockets(&self) -> Arc<dyn Sockets> {
        let endpoint = &self.environment.sockets;
        let client = sockets::client(&self.sdk, endpoint);
        Arc::new(GatewaySockets::new(client, endpoint, self.chance.clone()))
    }

    /// What has to happen before an invocation ends, because the process stands still afterwards: writes that were
    /// begun are finished, and what was counted is told.
    pub(crate) async fn finish(&self) {
        self.store.at_rest().await;
        self.flush();
    }

    /// Writes what was counted to the log.
    pub(crate) fn flush(&self) {
        if let Err(error) = self.metrics.flush(self.clock.now(), &mut std::io::stdout()) {
            tracing::warn!(%error, "metrics could not be written");
        }
    }
}

fn configuration(environment: &Environment) -> anyhow::Result<(Config, Deployed)> {
    let path = &environment.config;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{path} cannot be read; SMOOTHER_CONFIG names the configuration"))?;
    // Names and values that are not Unicode cannot be ours: every key and value is.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("SMOOTHER_"));
    let variables: Vec<(String, String)> = variables.collect();
    let deployed = Deployed::of(&text, variables.iter().cloned());
    let config = Config::load(Some((path, &text)), variables)?;
    ensure!(
        !config.lanes.is_empty(),
        "{path} has no lane; name at least one as [lanes.NAME], and deploy again"
    );
    for lane in config.lanes.keys() {
        ensure!(
            environment.lane_queues.contains_key(lane),
            "lane {lane} of {path} has no queue in SMOOTHER_LANE_QUEUES; deploy again, so that it gets one"
        );
    }
    Ok((config, deployed))
}
