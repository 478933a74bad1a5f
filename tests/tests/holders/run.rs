//! One run, from its seed to its verdict.

use super::broken::Broken;
use super::holders::Holders;
use super::judge::short;
use super::producers::produce;
use super::scenario::{Kind, Scenario};
use super::town::Town;
use super::workers::work;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// By then everything must have come to its end.
const CALM: Duration = Duration::from_secs(1_500);
/// A run without a schedule has to do with what it has.
const CALM_AFTER_BURSTS: Duration = Duration::from_secs(400);

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub seed: u64,
    pub faults: Vec<String>,
    pub events: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
}

/// Runs a seed.
pub fn run(seed: u64, broken: Option<Broken>) -> Verdict {
    run_as(&Scenario::of(seed), broken)
}

/// Runs a scenario in a runtime of its own, in virtual time.
pub fn run_as(scenario: &Scenario, broken: Option<Broken>) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(whole(scenario, broken))
}

async fn whole(scenario: &Scenario, broken: Option<Broken>) -> Verdict {
    let (calls, called) = tokio::sync::mpsc::unbounded_channel();
    let town = Town::new(scenario, broken, calls);
    let holders = Holders::new(town.clone());
    tokio::spawn(holders.clone().answer(called));
    if scenario.kind == Kind::Storm {
        tokio::spawn(holders.clone().schedule());
    }
    for _ in 0..2 {
        tokio::spawn(work(town.clone()));
    }
    let began = Instant::now();
    for (number, ask) in (0u64..).zip(&scenario.asks) {
        let (town, ask) = (town.clone(), ask.clone());
        tokio::spawn(async move {
            sleep_until(began + ask.at).await;
            produce(town, ask, number).await;
        });
    }
    for (at, blow) in &scenario.blows {
        sleep_until(began + *at).await;
        holders.strike(*blow);
    }
    sleep_until(began + scenario.storm).await;
    town.world.heal();
    settle(&town, scenario).await;
    let stale = town.world.stale_writes();
    if stale.accepted > 0 {
        town.judge.fault(format!(
            "stale: {} writes were accepted under an epoch that was over",
            stale.accepted
        ));
    }
    let mut book = town.judge.book();
    book.counts.insert("refused", stale.refused);
    Verdict {
        seed: scenario.seed,
        faults: book.faults.clone(),
        events: book.events.clone(),
        counts: book.counts.clone(),
    }
}

/// Waits until every request has come to its end, as long as that may take.
async fn settle(town: &Town, scenario: &Scenario) {
    let calm = if scenario.kind == Kind::Storm {
        CALM
    } else {
        CALM_AFTER_BURSTS
    };
    let until = Instant::now() + calm;
    let open = || {
        let rows = town.world.rows();
        let left: Vec<_> = rows.into_iter().filter(|row| !row.state.is_terminal()).collect();
        left
    };
    while Instant::now() < until && !open().is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    for row in open() {
        town.judge.fault(format!(
            "stuck: {} is {} as call {}",
            short(row.id),
            row.state,
            row.call
        ));
    }
    if town.world.rows().len() != scenario.asks.len() {
        town.judge.fault("stuck: a request was never stored".to_owned());
    }
}
