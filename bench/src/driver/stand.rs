//! One simulator and one target in front of it, in a folder of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;

use super::calls::MODEL;
use crate::files::{Target, Workload};
use crate::plan::{Call, Pace, Results};
use crate::process::{Server, free_port};

/// Where things are, for all runs.
#[derive(Debug)]
pub struct Bench {
    /// The repository.
    pub root: PathBuf,
    /// Folder of the built programs: this program's own.
    pub programs: PathBuf,
    /// Folder for data directories and logs. On a real disk: what a strict server waits for is its fsync.
    pub scratch: PathBuf,
    runs: AtomicU64,
}

impl Bench {
    /// # Errors
    /// This program's own place is unknown, or the scratch folder cannot be made.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root)?;
        let own = std::env::current_exe()?;
        let programs = own.parent().context("a program lies in a folder")?.to_owned();
        let scratch = root
            .join("bench/out/scratch")
            .join(std::process::id().to_string());
        std::fs::create_dir_all(&scratch)?;
        Ok(Self {
            root,
            programs,
            scratch,
            runs: AtomicU64::new(0),
        })
    }

    /// Reads a target by its name.
    ///
    /// # Errors
    /// There is none, or its file is not valid.
    pub fn target(&self, name: &str) -> anyhow::Result<Target> {
        crate::files::target(&self.root.join("bench/targets").join(format!("{name}.toml")))
    }

    fn program(&self, name: &str) -> String {
        self.programs.join(name).display().to_string()
    }

    fn run_folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self
            .scratch
            .join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

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
        workload: &Workload,
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
        let (simulator, _) = Server::start(&command, &folder, "simulator.log", &url, "/healthz").await?;
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
        stand.lane(&workload.lane);
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
        let (server, took) = Server::start(&command, &self.folder, "server.log", &url, &file.ready).await?;
        self.server = Some(server);
        Ok(took)
    }

    /// Where clients call.
    pub fn url(&self) -> &str {
        self.server
            .as_ref()
            .map_or(&self.simulator.url, |server| &server.url)
    }

    /// Runs calls against the target in client processes.
    ///
    /// # Errors
    /// A client process fails as a whole.
    pub async fn ask(&self, processes: usize, pace: Pace, calls: Vec<Call>) -> anyhow::Result<Results> {
        let (command, processes) = match &self.target.client {
            Some(file) => {
                let command = file.command.iter().map(|word| self.fill(word)).collect();
                (command, file.processes.unwrap_or(processes))
            }
            None => (
                vec![self.bench.program("smoother-bench"), "client".to_owned()],
                processes,
            ),
        };
        super::run_clients(&command, processes, self.url(), pace, calls).await
    }

    /// Stops both and removes the folder; a failed run's folder stays for its logs.
    ///
    /// # Errors
    /// One of them does not stop.
    pub async fn take_down(mut self) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        self.simulator.stop().await?;
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
