//! One simulator and one target in front of it, in a folder of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;

use super::bench::Bench;
use super::calls::{MODEL, small_call};
use super::speak::spoken;
use crate::files::Target;
use crate::plan::{Call, Pace, Results};
use crate::process::{Launch, Server, free_port};
use crate::wire::Connection;

/// How long a server may take at the end of a run to tell of itself, and to end before it is ended hard.
const PATIENCE: Duration = Duration::from_secs(20);

/// A simulator, and what stands in front of it.
#[derive(Debug)]
pub struct Stand<'a> {
    bench: &'a Bench,
    target: Target,
    /// The simulator.
    pub simulator: Server,
    /// The target's server; none where the client calls the simulator itself.
    pub server: Option<Server>,
    places: BTreeMap<String, String>,
    folder: PathBuf,
}

impl<'a> Stand<'a> {
    /// Starts both.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn set_up(
        bench: &'a Bench,
        target: &str,
        lane: &BTreeMap<String, toml::Value>,
        simulator: &serde_json::Value,
    ) -> anyhow::Result<Self> {
        let target = bench.target(target)?;
        let folder = bench.run_folder()?;
        let port = free_port()?;
        std::fs::write(folder.join("simulator.json"), simulator.to_string())?;
        let command = [
            bench.program("bedrock-sim"),
            "--port".to_owned(),
            port.to_string(),
            "--settings".to_owned(),
            folder.join("simulator.json").display().to_string(),
        ];
        let url = format!("http://127.0.0.1:{port}");
        let (simulator, _) = Server::start(&Launch {
            command: &command,
            folder: &folder,
            log: "simulator.log",
            url: &url,
            ready: "/healthz",
            within: Duration::from_secs(60),
            environment: BTreeMap::new(),
        })
        .await?;
        let mut stand = Self {
            bench,
            target,
            places: BTreeMap::from([
                ("simulator".to_owned(), url),
                ("port".to_owned(), free_port()?.to_string()),
                ("dir".to_owned(), folder.display().to_string()),
                ("bin".to_owned(), bench.programs.display().to_string()),
                ("root".to_owned(), bench.root.display().to_string()),
                ("model".to_owned(), MODEL.to_owned()),
            ]),
            simulator,
            server: None,
            folder,
        };
        if let Some(install) = &stand.target.install {
            let folder = bench.root.join("bench/installed").join(&install.folder);
            stand
                .places
                .insert("installed".to_owned(), folder.display().to_string());
        }
        stand.lane(lane);
        stand.start().await?;
        Ok(stand)
    }

    /// Sets values for the target's files, for its next start.
    pub fn lane(&mut self, values: &BTreeMap<String, toml::Value>) {
        for (name, value) in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.places.insert(name.clone(), text);
        }
    }

    /// Starts the target's server, if it has one; the time until it was ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        let Some(file) = self.target.server.clone() else {
            return Ok(Duration::ZERO);
        };
        for (name, text) in &file.files {
            std::fs::write(self.folder.join(name), self.fill(text))?;
        }
        let command: Vec<String> = file.command.iter().map(|word| self.fill(word)).collect();
        let url = format!("http://127.0.0.1:{}", self.places["port"]);
        let environment = file
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), self.fill(value)))
            .collect();
        let (server, took) = Server::start(&Launch {
            command: &command,
            folder: &self.folder,
            log: "server.log",
            url: &url,
            ready: &file.ready,
            within: Duration::from_secs(file.ready_seconds),
            environment,
        })
        .await?;
        self.server = Some(server);
        Ok(took)
    }

    /// Makes the small calls that the target asks for before anything is counted, and forgets that they were made.
    ///
    /// # Errors
    /// One is not answered.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let Some(file) = self.target.server.as_ref().filter(|file| file.warm_up_calls > 0) else {
            return Ok(());
        };
        for _ in 0..file.warm_up_calls {
            let call = spoken(small_call(), &self.target.wire, |text| self.fill(text));
            let mut connection = Connection::open(self.url()).await?;
            let answer = connection
                .send(Method::POST, &call.path, &call.headers, call.body.into())
                .await?;
            ensure!(
                answer.status == 200,
                "the first call was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        let mut connection = Connection::open(&self.simulator.url).await?;
        let nothing = BTreeMap::new();
        connection
            .send(Method::POST, "/stats/reset", &nothing, Bytes::new())
            .await?;
        Ok(())
    }

    /// What the target's server tells of itself, where its file says at which path.
    ///
    /// # Errors
    /// It does not answer, or not in time.
    pub async fn metrics(&self) -> anyhow::Result<Option<Bytes>> {
        let path = self.target.server.as_ref().and_then(|file| file.metrics.as_ref());
        match (&self.server, path) {
            (Some(server), Some(path)) => tokio::time::timeout(PATIENCE, server.get(path))
                .await
                .with_context(|| format!("{path} was not answered within {} s", PATIENCE.as_secs()))?
                .map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the target is another client than the load generator.
    pub fn has_a_client_of_its_own(&self) -> bool {
        self.target.client.is_some()
    }

    /// Where clients call.
    pub fn url(&self) -> &str {
        self.server
            .as_ref()
            .map_or(&self.simulator.url, |server| &server.url)
    }

    /// Runs calls against the target in client processes; what is not answered `until` after their start is given up.
    ///
    /// # Errors
    /// A client process fails as a whole.
    pub async fn ask(
        &self,
        processes: usize,
        pace: Pace,
        until: Option<Duration>,
        calls: Vec<Call>,
    ) -> anyhow::Result<Results> {
        let Some(file) = &self.target.client else {
            let command = [self.bench.program("smoother-bench"), "client".to_owned()];
            let wire = &self.target.wire;
            let calls = calls
                .into_iter()
                .map(|call| spoken(call, wire, |text| self.fill(text)))
                .collect();
            return super::run_clients(&command, processes, self.url(), pace, until, calls).await;
        };
        let command: Vec<String> = file.command.iter().map(|word| self.fill(word)).collect();
        let processes = file.processes.unwrap_or(processes);
        super::run_clients(&command, processes, self.url(), pace, until, calls).await
    }

    /// Stops both and removes the folder; a failed run's folder stays for its logs.
    ///
    /// # Errors
    /// One of them does not stop.
    pub async fn take_down(mut self) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            server.stop_in_any_case(PATIENCE).await?;
        }
        self.simulator.stop_in_any_case(PATIENCE).await?;
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }

    /// The target's name in the tables.
    pub fn title(&self) -> &str {
        &self.target.title
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.places {
            filled = filled.replace(&format!("${{{name}}}"), value);
        }
        filled
    }
}
