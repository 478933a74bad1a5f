//! The prioritizer: holds a lane for as long as there is something to do in it.
//!
//! It is called with `{"lane": "…"}` by whoever has told a lane something, and by the schedule for every lane. Most of
//! the schedule's calls find each lane held, or empty, and end at once.
//!
//! The schedule also looks for lanes that are not configured any more, and that something is left in: such a lane is
//! held like any other, only that nobody is let go in it. What waits goes on in its chain or fails, and what was released
//! or called comes to its end.

use super::runtime_ended;
use crate::budget::Budget;
use crate::house::House;
use anyhow::{Context, bail};
use futures_util::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use smoother_aws::queues::{self, DispatchQueue, LaneInboxes, Outgoing, SqsQueue};
use smoother_aws::wake::Caller;
use smoother_core::Millis;
use smoother_core::config::LaneConfig;
use smoother_core::ports::{Clock, Entropy, LaneViews, StoreError};
use smoother_prioritizer::{HoldEnd, HoldPorts, LanePorts, hold};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// The longest a lane is held by one invocation.
const LONGEST: Duration = Duration::from_secs(13 * 60);
/// Kept back of an invocation for handing over.
const FOR_THE_NEXT: Duration = Duration::from_secs(15);
/// How often what was counted is told in between.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How often a holder looks whether its deployment is still the one in force.
const LOOKED_EVERY: Duration = Duration::from_secs(10);

/// No call of a lane that is gone lasts longer: no function does.
const LONGEST_CALL: Millis = Millis::from_secs(900);

struct Chair {
    house: House,
    ports: HoldPorts,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let dispatch = SqsQueue::new(
        queues::sending(&house.sdk),
        &house.environment.dispatch_queue,
        "the dispatch queue",
    );
    let lane = LanePorts {
        store: house.store.clone(),
        payloads: house.store.clone(),
        dispatch: Arc::new(DispatchQueue::new(Outgoing::new(dispatch, house.chance.clone()))),
        lanes: house.lanes.clone(),
        clock: house.clock.clone(),
    };
    let urls = house.environment.lane_queues.clone();
    let ports = HoldPorts {
        lane: Arc::new(lane),
        hold: house.hold.clone(),
        inbox: Arc::new(LaneInboxes::new(queues::polling(&house.sdk), urls)),
        handing: house.environment.handing,
        relieved: CancellationToken::new(),
    };
    house
        .hold
        .note_lanes(house.config.lanes.keys().cloned())
        .await
        .context("the lanes could not be noted in the table")?;
    let chair = Arc::new(Chair { house, ports });
    let handler = move |event: LambdaEvent<Value>| {
        let chair = Arc::clone(&chair);
        async move {
            let budget = Budget::until(event.context.deadline);
            chair
                .sit(&event.payload, budget)
                .await
                .map_err(|error| Error::from(format!("{error:#}")))
        }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Chair {
    async fn sit(&self, asked: &Value, budget: Budget) -> anyhow::Result<()> {
        if let Err(error) = self.house.hold.note_deployed(&self.house.deployed).await {
            tracing::warn!(%error, "holders of an earlier deployment stay until their time is up");
        }
        let lanes = self.asked(asked).await?;
        let relieved = CancellationToken::new();
        let ports = Arc::new(HoldPorts {
            relieved: relieved.clone(),
            ..self.ports.clone()
        });
        let left = Duration::from(budget.left(self.house.clock.now()));
        let until = Instant::now() + left.saturating_sub(FOR_THE_NEXT).min(LONGEST);
        let holding = join_all(lanes.iter().map(|lane| self.hold(lane, &ports, until)));
        let ends = tokio::select! {
            ends = holding => ends,
            never = self.tell(&lanes) => match never {},
            never = self.look_for_another(&relieved) => match never {},
        };
        self.show(&lanes).await;
        self.house.finish().await;
        ends.into_iter().collect()
    }

    /// The lane that was asked for; every lane, where none was, with those that are gone and not empty.
    async fn asked(&self, asked: &Value) -> anyhow::Result<Vec<LaneConfig>> {
        let lanes = &self.house.config.lanes;
        let Some(name) = asked.get("lane") else {
            let mut all: Vec<LaneConfig> = lanes.values().cloned().collect();
            match self.gone().await {
                Ok(gone) => all.extend(gone),
                // The others must not wait for it.
                Err(error) => {
                    tracing::error!(%error, "whether anything is left in lanes that are not configured could not be read");
                }
            }
            return Ok(all);
        };
        if let Some((_, lane)) = lanes.iter().find(|(id, _)| name == id.as_str()) {
            return Ok(vec![lane.clone()]);
        }
        let noted = self.house.hold.noted_lanes().await?;
        match noted.into_iter().find(|id| name == id.as_str()) {
            Some(id) => Ok(vec![LaneConfig::gone(id, LONGEST_CALL)]),
            None => {
                let known: Vec<&str> = lanes.keys().map(|id| id.as_str()).collect();
                bail!(
                    "no lane is named {name}; the configuration has {}",
                    known.join(", ")
                )
            }
        }
    }

    /// Lanes that are not configured any more and that something may be left in.
    async fn gone(&self) -> Result<Vec<LaneConfig>, StoreError> {
        let house = &self.house;
        let mut gone = Vec::new();
        for id in house.hold.noted_lanes().await? {
            if house.config.lanes.contains_key(&id) {
                continue;
            }
            // What does not read is for its holder to name, and keeps no other lane from being looked at.
            if house.hold.has_anything(&id).await.unwrap_or(true) {
                tracing::warn!(lane = %id, "the lane is not configured any more; what is left in it goes on in its chain or fails");
                gone.push(LaneConfig::gone(id, LONGEST_CALL));
            }
        }
        Ok(gone)
    }

    async fn hold(&self, lane: &LaneConfig, ports: &Arc<HoldPorts>, until: Instant) -> anyhow::Result<()> {
        let house = &self.house;
        let mark: String = house
            .chance
            .bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let owner = format!("{}-{mark}", house.clock.now().as_millis());
        let end = hold(&house.config, lane, Arc::clone(ports), &owner, until).await?;
        tracing::debug!(lane = %lane.id, ?end, "the lane was left");
        if end == HoldEnd::TimeUp {
            let called = house.prioritizer.call(&lane.id).await;
            called
                .map_err(anyhow::Error::msg)
                .context("the next holder could not be called")?;
        }
        Ok(())
    }

    /// Has the lanes handed over once another deployment is in force: to somebody who goes by its configuration.
    async fn look_for_another(&self, relieved: &CancellationToken) -> std::convert::Infallible {
        let house = &self.house;
        loop {
            sleep(LOOKED_EVERY).await;
            match house.hold.deployed().await {
                Ok(Some(noted)) if noted != house.deployed => {
                    if !relieved.is_cancelled() {
                        tracing::info!("another deployment is in force; the lanes are handed over to it");
                    }
                    relieved.cancel();
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "which deployment is in force could not be read"),
            }
        }
    }

    async fn tell(&self, lanes: &[LaneConfig]) -> std::convert::Infallible {
        let mut minute = interval(TOLD_EVERY);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        minute.tick().await;
        loop {
            minute.tick().await;
            self.show(lanes).await;
            self.house.flush();
        }
    }

    /// Sets the gauges of these lanes.
    async fn show(&self, lanes: &[LaneConfig]) {
        for lane in lanes {
            if let Some(view) = self.house.views.view(&lane.id).await {
                smoother_results::show(&view);
            }
        }
    }
}
