//! `smoother serve` as a process, on a disk that breaks or on a good one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::crash::driver::Programs;

/// A start or an end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LISTENING: &str = "Bedrock Smoother is listening on ";
pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Where a server's disk, log and rules are.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// In this folder, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("disk"))?;
        // The library knows files by their path, and SQLite follows links.
        let folder = folder.canonicalize()?;
        Ok(Self { folder })
    }

    /// The disk's root; the data directory is in it.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// What happened to the disk.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What the server printed.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// How long the log is now.
    ///
    /// # Errors
    /// There is none.
    pub fn seen(&self) -> anyhow::Result<usize> {
        Ok(usize::try_from(fs::metadata(self.log())?.len())?)
    }

    /// What breaks from now on. See `tests/disk/src/rule.rs`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn rule(&self, rules: &str) -> anyhow::Result<()> {
        let new = self.folder.join("rules.new");
        fs::write(&new, rules)?;
        Ok(fs::rename(new, self.folder.join("rules"))?)
    }

    fn configure(&self, upstream: &str) -> anyhow::Result<PathBuf> {
        let config = self.folder.join("smoother.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\ndurability = \"strict\"\n\
             drain_timeout_ms = 5000\n\n\
             [lanes.sonnet]\nmodels = [\"{MODEL}\"]\nregion = \"us-east-1\"\nendpoint = \"{upstream}\"\n\
             tokens_per_minute = 1000000000\n",
            self.disk().join("data")
        );
        fs::write(&config, text)?;
        Ok(config)
    }
}

/// The library.
///
/// # Errors
/// It is not built.
pub fn library(programs: &Programs) -> anyhow::Result<PathBuf> {
    let built = || programs.own.with_file_name("libsmoother_broken_disk.so");
    let path = std::env::var_os("BROKEN_DISK_LIB").map_or_else(built, PathBuf::from);
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "{} is not built: run `cargo build -p smoother-broken-disk`, or set BROKEN_DISK_LIB",
        path.display()
    )
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    place: Place,
    pub url: String,
}

/// How a start went.
pub enum Started {
    Serves(Box<Server>),
    /// It has ended by itself, and this is what it said.
    Refused(String),
}

impl Server {
    /// Starts a server, on a disk that breaks where the library is given.
    ///
    /// # Errors
    /// The process cannot be started, or neither serves nor ends.
    pub async fn start(
        programs: &Programs,
        place: &Place,
        upstream: &str,
        library: Option<&Path>,
    ) -> anyhow::Result<Started> {
        let config = place.configure(upstream)?;
        let out = File::create(place.output())?;
        let mut command = Command::new(&programs.own);
        command
            .args(["under", &std::process::id().to_string()])
            .arg(&programs.smoother)
            .args(["serve", "--config"])
            .arg(&config)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            )
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true);
        if let Some(library) = library {
            command
                .env("LD_PRELOAD", library)
                .env("BROKEN_DISK_ROOT", place.disk())
                .env("BROKEN_DISK_LOG", place.log())
                .env("BROKEN_DISK_RULES", place.folder.join("rules"));
        }
        let child = command.spawn().context("cannot start the server")?;
        let mut server = Self {
            child,
            place: place.clone(),
            url: String::new(),
        };
        Ok(if server.serves().await? {
            Started::Serves(Box::new(server))
        } else {
            Started::Refused(server.said()?)
        })
    }

    async fn serves(&mut self) -> anyhow::Result<bool> {
        let (begun, http) = (Instant::now(), crate::http::client());
        loop {
            if let Some(url) = self.said()?.lines().find_map(|line| line.strip_prefix(LISTENING)) {
                url.clone_into(&mut self.url);
                let answer = http.get(format!("{url}/readyz")).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(true);
                }
            }
            if let Some(status) = self.ended_within(Duration::from_millis(5)).await? {
                if status.success() {
                    bail!("the server has ended without an error: {}", self.said()?);
                }
                return Ok(false);
            }
            if begun.elapsed() > PATIENCE {
                bail!("neither served nor ended within {PATIENCE:?}: {}", self.said()?);
            }
        }
    }

    /// What it has printed.
    ///
    /// # Errors
    /// That cannot be read.
    pub fn said(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.place.output())?)
    }

    /// Its end within `span`, if that comes.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn ended_within(&mut self, span: Duration) -> anyhow::Result<Option<ExitStatus>> {
        match tokio::time::timeout(span, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    /// Its end, which must come.
    ///
    /// # Errors
    /// It does not.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = self.ended_within(PATIENCE).await?;
        ended.with_context(|| {
            format!(
                "still runs after {PATIENCE:?}: {}",
                self.said().unwrap_or_default()
            )
        })
    }

    /// SIGTERM, and its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(pid) = self.child.id() {
            let pid = Pid::from_raw(i32::try_from(pid)?).context("pid 0")?;
            kill_process(pid, Signal::TERM)?;
        }
        self.ended().await
    }

    /// SIGKILL, and its end.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }
}
