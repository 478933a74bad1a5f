//! SIGHUP: the configuration is read again, as at the start, and taken while the server runs.
//!
//! It is taken as a whole or not at all. First everything is made that can fail: the configuration itself, the new
//! model clients, the new lanes. Then each part is given the new one, from the way out to the way in, so that nobody
//! sends a request to a part that does not know its lane yet. A submission is taken in by one configuration, and a
//! call is made and judged by the one under which it was claimed. What waits is scheduled by the new one at once.
//!
//! A lane that is no longer named takes nothing more, and what is in it goes on under the settings it had. Its task
//! stays until the process ends, since a request that was accepted before may still have it in its chain.

use super::house::House;
use super::settings::{self, NoConfig};
use crate::check_config;
use crate::cli::ServeArgs;
use smoother_bedrock::SetupError;
use smoother_core::LaneId;
use smoother_core::config::{self, CannotReload, Config, Difference, LaneConfig};
use smoother_core::ports::LaneViews;
use smoother_core::scheduler::LaneView;
use smoother_prioritizer::{Lane, LoadError};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use tokio::sync::mpsc::UnboundedReceiver;

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReloaded {
    /// There is no configuration, or it has mistakes; one a line.
    #[error(transparent)]
    Config(#[from] NoConfig),
    /// It is for a process that starts with it; one reason a line.
    #[error("{}", lines(.0))]
    Refused(Vec<CannotReload>),
    /// The bundled simulator is started, or not, when the server is.
    #[error(
        "lanes: the bundled simulator stands in only where no lane is named at the start: needs a restart"
    )]
    Bundled,
    /// A lane's endpoint cannot be called.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A new lane's state cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn lines(reasons: &[CannotReload]) -> String {
    let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Where the word comes from, and what is read then.
pub(crate) struct Reloads {
    asked: UnboundedReceiver<()>,
    args: ServeArgs,
    /// The bundled simulator's lanes, where it was started.
    bundled: Option<BTreeMap<LaneId, LaneConfig>>,
}

impl Reloads {
    /// Reads what `args` name whenever `asked` to.
    pub(crate) fn new(
        asked: UnboundedReceiver<()>,
        args: ServeArgs,
        bundled: Option<BTreeMap<LaneId, LaneConfig>>,
    ) -> Self {
        Self { asked, args, bundled }
    }

    /// Never asked for anything.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let args = ServeArgs {
            config: None,
            listen: None,
            data_dir: None,
        };
        Self::new(tokio::sync::mpsc::unbounded_channel().1, args, None)
    }

    /// Reloads whenever asked to, one after the other, for as long as it is waited for.
    pub(crate) async fn follow(&mut self, house: &House) -> Infallible {
        while self.asked.recv().await.is_some() {
            // Those that came meanwhile are answered by this reading.
            while self.asked.try_recv().is_ok() {}
            match self.reload(house).await {
                Ok(changes) => tell(&changes),
                Err(why) => {
                    for line in why.to_string().lines() {
                        tracing::error!("not reloaded: {line}");
                    }
                    tracing::error!("the configuration was not reloaded; the one before goes on unchanged");
                }
            }
        }
        std::future::pending().await
    }

    async fn reload(&self, house: &House) -> Result<Vec<Difference>, NotReloaded> {
        let mut next = settings::with_flags(&self.args)?;
        match &self.bundled {
            Some(lanes) if next.lanes.is_empty() => next.lanes.clone_from(lanes),
            None if !next.lanes.is_empty() => {}
            _ => return Err(NotReloaded::Bundled),
        }
        let warnings = check_config::warnings(&next);
        let changes = house.reload(next).await?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(changes)
    }
}

fn tell(changes: &[Difference]) {
    for change in changes {
        tracing::info!("reloaded: {change}");
    }
    tracing::info!(changes = changes.len(), "the configuration was reloaded");
}

impl House {
    /// Takes another configuration, and says what it changes.
    pub(crate) async fn reload(&self, next: Config) -> Result<Vec<Difference>, NotReloaded> {
        let now = self.config.load_full();
        let running = self.with_lanes_in_use(&now).await;
        config::reload(&running, &next).map_err(NotReloaded::Refused)?;
        let changes = config::differences(&now, &next);
        if !changes.is_empty() {
            self.take(&now, next).await?;
        }
        Ok(changes)
    }

    async fn take(&self, now: &Config, next: Config) -> Result<(), NotReloaded> {
        let leaving = self.leaving_after(now, &next);
        let mut all = next.clone();
        all.lanes.extend(leaving.clone());
        let clients = self.model.prepare(all.lanes.values()).await?;
        let known = self.desk.lanes();
        let mut fresh = Vec::new();
        for lane in next.lanes.values().filter(|lane| !known.contains(&lane.id)) {
            fresh.push((
                lane.id.clone(),
                Lane::load(&all, lane, self.lane_ports.clone()).await?,
            ));
        }

        // Nothing fails from here on.
        self.model.adopt(clients);
        self.worker.reconfigure(all.lanes.values().cloned());
        for (id, loaded) in fresh {
            let (events, questions) = (self.queues.add(id.clone()), self.desk.add(id.clone()));
            self.start_lane(&id, loaded, events, questions);
        }
        let all = Arc::new(all);
        for lane in known {
            if !self.desk.configure(&lane, all.clone()).await {
                tracing::error!(%lane, "the lane's task has not taken the new configuration");
            }
        }
        let lanes = next.lanes.values().cloned().collect();
        self.results.reconfigure(lanes, next.server.trust_tenant);
        self.ingest.reconfigure(next.clone());
        *self.leaving.lock().unwrap_or_else(PoisonError::into_inner) = leaving;
        self.config.store(Arc::new(next));
        Ok(())
    }

    /// The lanes that have a task and that `next` does not name, with the settings they go on under.
    fn leaving_after(&self, now: &Config, next: &Config) -> BTreeMap<LaneId, LaneConfig> {
        let mut leaving = self
            .leaving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        leaving.extend(now.lanes.clone());
        leaving.retain(|id, _| !next.lanes.contains_key(id));
        leaving
    }

    /// The configuration with those lanes on their way out whose quota is not free yet.
    async fn with_lanes_in_use(&self, now: &Config) -> Config {
        let leaving = self
            .leaving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut all = now.clone();
        for (id, lane) in leaving {
            if self.desk.view(&id).await.is_some_and(|view| is_in_use(&view)) {
                all.lanes.insert(id, lane);
            }
        }
        all
    }
}

fn is_in_use(view: &LaneView) -> bool {
    let waiting = view.waiting.values().any(|band| band.requests > 0);
    waiting || view.released > 0 || view.running > 0 || view.tokens.used > 0
}
