//! Child processes: started, waited for, measured through /proc, and ended by their own pid.

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

/// A server that answers at `url`.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    /// Where it answers.
    pub url: String,
}

impl Server {
    /// Starts `command` in `folder`, its output into `folder/log`, and waits until `ready` answers 200.
    /// Returns the server and the time that took.
    ///
    /// # Errors
    /// It cannot be started, ends before it is ready, or is not ready within a minute.
    pub async fn start(
        command: &[String],
        folder: &Path,
        log: &str,
        url: &str,
        ready: &str,
    ) -> anyhow::Result<(Self, Duration)> {
        let (program, arguments) = command.split_first().context("a target's command is empty")?;
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(log))?;
        let begun = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .envs(aws_environment())
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
            url: url.to_owned(),
        };
        while !server.answers(ready).await {
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "{program} ended with {status} before it was ready; see {}",
                    folder.join(log).display()
                );
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!(
                    "{program} was not ready within a minute; see {}",
                    folder.join(log).display()
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
        let answer = connection.send(Method::GET, path, &[], Bytes::new()).await?;
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS in /proc")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    /// Processor time used so far.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The command's name, in parentheses, may hold blanks: count fields after it. utime and stime are the
        // 14th and 15th of all, in ticks, which Linux fixes at 100 a second towards user space.
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let ticks: u64 = fields
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap_or_default())
            .sum();
        Ok(Duration::from_millis(ticks * 10))
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

    async fn end(mut self, signal: Signal) -> anyhow::Result<(ExitStatus, Duration)> {
        let begun = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.pid)?).context("pid 0")?;
        kill_process(pid, signal).context("the process is gone already")?;
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait())
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
