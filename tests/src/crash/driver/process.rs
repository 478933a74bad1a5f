//! Child processes, each ended by its own pid, and each ending by itself when this one is gone.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command};

use super::Programs;

/// A simulator or client gets this long to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running child; killed when dropped.
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `program` with its output into `log`, under the parent's life.
    pub(super) fn start(
        programs: &Programs,
        program: &Path,
        arguments: &[String],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = Command::new(&programs.own)
            .arg("under")
            .arg(std::process::id().to_string())
            .arg(program)
            .args(arguments)
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
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until its first line is written; the simulator's names its address.
    pub(super) async fn until_first_line(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !std::fs::read_to_string(&self.log)?.contains('\n') {
            if begun.elapsed() > PATIENCE {
                bail!("{} holds no line after {PATIENCE:?}", self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The URL in its first line.
    pub(super) fn first_line(&self) -> anyhow::Result<String> {
        let text = std::fs::read_to_string(&self.log)?;
        let line = text.lines().next().unwrap_or_default();
        let said: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        said["url"].as_str().map(str::to_owned).context("no url in it")
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Its end within `span`, if that comes.
    pub(super) async fn ended_within(&mut self, span: Duration) -> anyhow::Result<Option<ExitStatus>> {
        match tokio::time::timeout(span, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    /// SIGTERM.
    pub(super) fn ask_to_stop(&self) -> anyhow::Result<()> {
        let pid = self.child.id().context("it has ended already")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("pid 0")?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// SIGKILL, and its end.
    pub(super) async fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.start_kill()?;
        self.ended().await
    }

    /// SIGTERM, and its end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.ask_to_stop()?;
        match self.ended_within(PATIENCE).await? {
            Some(_) => Ok(()),
            None => bail!("{} does not end", self.log.display()),
        }
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

/// Becomes `program`, to be killed by the kernel when the process `parent` ends.
///
/// # Errors
/// The parent is gone already, or the program cannot be executed.
pub fn under(parent: u32, program: &Path, arguments: &[String]) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The signal comes for an end from now on only.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    if now != Some(i32::try_from(parent)?) {
        bail!("the process {parent} has ended");
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot execute {}", program.display()))
}

pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
