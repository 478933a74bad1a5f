//! Child processes: started, waited for, measured through /proc, and ended by their own pid.

mod usage;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::wire::Connection;

pub use usage::{Processors, Usage};

/// How a server is started.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Its command line.
    pub command: &'a [String],
    /// Where it runs.
    pub folder: &'a Path,
    /// The file beside it that its output goes to.
    pub log: &'a str,
    /// Where it answers.
    pub url: &'a str,
    /// A path that answers 200 once it is ready.
    pub ready: &'a str,
    /// How long that may take.
    pub within: Duration,
    /// Its environment, beside that of a dummy AWS account.
    pub environment: BTreeMap<String, String>,
}

/// How long a server may take to end once it is told to.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A server that answers at `url`.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    /// Where it answers.
    pub url: String,
}

impl Server {
    /// Starts it and waits until it is ready. Returns the server and the time that took.
    ///
    /// # Errors
    /// It cannot be started, ends before it is ready, or is not ready in time.
    pub async fn start(launch: &Launch<'_>) -> anyhow::Result<(Self, Duration)> {
        let (program, arguments) = launch
            .command
            .split_first()
            .context("a target's command is empty")?;
        let log = launch.folder.join(launch.log);
        let out = std::fs::File::options().create(true).append(true).open(&log)?;
        let begun = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(launch.folder)
            .envs(aws_environment())
            .envs(&launch.environment)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let pid = child.id().context("a child without a pid")?;
        let mut server = Self {
            child,
            pid,
            url: launch.url.to_owned(),
        };
        while !server.answers(launch.ready).await {
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "{program} ended with {status} before it was ready; see {}",
                    log.display()
                );
            }
            if begun.elapsed() > launch.within {
                bail!(
                    "{program} was not ready within {} s; see {}",
                    launch.within.as_secs(),
                    log.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok((server, begun.elapsed()))
    }

    async fn answers(&self, path: &str) -> bool {
        self.get(path).await.is_ok()
    }

    /// The body of a GET that answers 200.
    ///
    /// # Errors
    /// The server cannot be reached, or answers anything else.
    pub async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        let mut connection = Connection::open(&self.url).await?;
        let answer = connection
            .send(Method::GET, path, &BTreeMap::new(), Bytes::new())
            .await?;
        if answer.status != 200 {
            bail!("GET {path} answered {}", answer.status);
        }
        Ok(answer.body)
    }

    /// A GET's body as JSON.
    ///
    /// # Errors
    /// As [`Self::get`], or the body is not JSON.
    pub async fn json(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.get(path).await?)?)
    }

    /// Resident memory now, in bytes.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        usage::memory(self.pid, "VmRSS:")
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// As [`Self::resident_bytes`].
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid)
    }

    /// SIGTERM, and how long it took to end.
    ///
    /// # Errors
    /// It does not end within a minute.
    pub async fn stop(self) -> anyhow::Result<(ExitStatus, Duration)> {
        self.end(Signal::TERM).await
    }

    /// SIGKILL, as a crash.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn crash(self) -> anyhow::Result<()> {
        self.end(Signal::KILL).await.map(drop)
    }

    /// SIGTERM, and SIGKILL where it does not end by that.
    ///
    /// # Errors
    /// It cannot be ended at all.
    pub async fn stop_in_any_case(mut self, within: Duration) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        if tokio::time::timeout(within, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid)?).context("pid 0")?;
        kill_process(pid, signal).context("the process is gone already")
    }

    async fn end(mut self, signal: Signal) -> anyhow::Result<(ExitStatus, Duration)> {
        let begun = Instant::now();
        self.signal(signal)?;
        let status = tokio::time::timeout(ENDS_WITHIN, self.child.wait())
            .await
            .context("it did not end within a minute")??;
        Ok((status, begun.elapsed()))
    }
}

/// What an AWS SDK looks for, with nothing of this machine's own set-up.
pub fn aws_environment() -> [(&'static str, &'static str); 6] {
    [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        ),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
    ]
}

/// A port that is free now.
///
/// # Errors
/// None is.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
