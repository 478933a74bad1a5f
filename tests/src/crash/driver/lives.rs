//! The server's lives: started on the same folder and port, struck, started again.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::process::Running;
use super::{Programs, say};
use crate::crash::plan::{Blow, Plan};
use crate::crash::records::{End, Life};
use crate::crash::wall::now_ms;

/// How long a start may take on a busy machine, recovery included.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a stop may take: the drain's own limit is shorter.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// The server, whichever of its processes runs.
pub(super) struct Smoother {
    programs: Programs,
    config: PathBuf,
    log: PathBuf,
    pub(super) url: String,
    http: reqwest::Client,
    now: Option<(Running, Life)>,
    last_start: Duration,
    pub(super) lives: Vec<Life>,
}

impl Smoother {
    pub(super) fn new(
        programs: &Programs,
        folder: &Path,
        config: PathBuf,
        port: u16,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            programs: programs.clone(),
            config,
            log: folder.join("smoother.log"),
            url: format!("http://127.0.0.1:{port}"),
            http: crate::http::builder().timeout(Duration::from_secs(5)).build()?,
            now: None,
            last_start: Duration::from_millis(300),
            lives: Vec::new(),
        })
    }

    /// Starts a process and waits until it is ready.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let begun = Instant::now();
        while !self.is_ready().await {
            if self.ended_by_itself(Duration::ZERO).await? {
                bail!("the server does not start; see {}", self.log.display());
            }
            if begun.elapsed() > READY_WITHIN {
                bail!(
                    "the server is not ready after {READY_WITHIN:?}; see {}",
                    self.log.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.last_start = begun.elapsed();
        if let Some((_, life)) = &mut self.now {
            life.ready_ms = Some(now_ms());
        }
        Ok(())
    }

    /// Every kill of the plan; leaves a server running.
    pub(super) async fn strike(&mut self, plan: Plan) -> anyhow::Result<()> {
        let (mut blows, mut kills) = (0, 0);
        while kills < plan.kills {
            let before = self.lives.len();
            self.blow(plan.blow(blows)).await?;
            blows += 1;
            kills += self.lives[before..]
                .iter()
                .filter(|life| life.end == End::Killed)
                .count() as u64;
            if self.now.is_none() && !matches!(plan.blow(blows), Blow::Starting { .. }) {
                self.start().await?;
            }
            if blows % 10 == 0 {
                say(&format!("{kills} of {} kills", plan.kills));
            }
        }
        if self.now.is_none() {
            self.start().await?;
        }
        Ok(())
    }

    async fn blow(&mut self, blow: Blow) -> anyhow::Result<()> {
        match blow {
            Blow::Serving { after_ms } => {
                if !self.ended_by_itself(Duration::from_millis(after_ms)).await? {
                    self.kill().await?;
                }
            }
            Blow::Starting { permille } => {
                // One that serves already is killed first: the blow is meant for its successor.
                if self.now.is_some() {
                    self.kill().await?;
                }
                self.spawn()?;
                let after = self.last_start * u32::try_from(permille)? / 1_000;
                if !self.ended_by_itself(after).await? {
                    self.kill().await?;
                }
            }
            Blow::Draining { after_ms, then_ms } => {
                if self.ended_by_itself(Duration::from_millis(after_ms)).await? {
                    return Ok(());
                }
                self.ask_to_stop()?;
                if !self.stopped_within(Duration::from_millis(then_ms)).await? {
                    self.kill().await?;
                }
            }
        }
        Ok(())
    }

    /// Waits for the clients; a server that falls meanwhile is recorded and started again.
    pub(super) async fn attend(&mut self, clients: Vec<Running>) -> anyhow::Result<()> {
        for mut client in clients {
            let status = loop {
                if let Some(status) = client.ended_within(Duration::from_millis(200)).await? {
                    break status;
                }
                if self.ended_by_itself(Duration::ZERO).await? {
                    self.start().await?;
                }
            };
            if !status.success() {
                bail!("a client ended with {status}; see {}", client.log().display());
            }
        }
        Ok(())
    }

    pub(super) async fn restart_by_a_kill(&mut self) -> anyhow::Result<()> {
        self.kill().await?;
        self.start().await
    }

    /// SIGTERM; a server with nothing to do stops at once and with success.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.ask_to_stop()?;
        if !self.stopped_within(STOPPED_WITHIN).await? {
            bail!("the server does not stop; see {}", self.log.display());
        }
        Ok(())
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let arguments = [
            "serve".to_owned(),
            "--config".to_owned(),
            self.config.display().to_string(),
        ];
        let running = Running::start(&self.programs, &self.programs.smoother, &arguments, &self.log)?;
        let life = Life {
            started_ms: now_ms(),
            ready_ms: None,
            asked_to_stop_ms: None,
            ended_ms: 0,
            end: End::Killed,
        };
        self.now = Some((running, life));
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some((mut running, mut life)) = self.now.take() {
            // Before the signal: what ends by it ends after this moment.
            life.ended_ms = now_ms();
            running.kill().await?;
            self.lives.push(life);
        }
        Ok(())
    }

    fn ask_to_stop(&mut self) -> anyhow::Result<()> {
        if let Some((running, life)) = &mut self.now {
            life.asked_to_stop_ms = Some(now_ms());
            running.ask_to_stop()?;
        }
        Ok(())
    }

    /// Whether it ends within `span`, which nobody has asked for.
    async fn ended_by_itself(&mut self, span: Duration) -> anyhow::Result<bool> {
        let status = match &mut self.now {
            Some((running, _)) => running.ended_within(span).await?,
            None => return Ok(false),
        };
        self.gone(status, |status| End::ByItself {
            status: status.to_string(),
        })
    }

    /// Whether it ends within `span`, as it was asked to.
    async fn stopped_within(&mut self, span: Duration) -> anyhow::Result<bool> {
        let status = match &mut self.now {
            Some((running, _)) => running.ended_within(span).await?,
            None => return Ok(true),
        };
        self.gone(status, |status| {
            if status.success() {
                End::Stopped
            } else {
                End::ByItself {
                    status: status.to_string(),
                }
            }
        })
    }

    fn gone(&mut self, status: Option<ExitStatus>, end: impl Fn(ExitStatus) -> End) -> anyhow::Result<bool> {
        let Some(status) = status else { return Ok(false) };
        if let Some((_, mut life)) = self.now.take() {
            life.ended_ms = now_ms();
            life.end = end(status);
            self.lives.push(life);
        }
        Ok(true)
    }
}
