//! One run, from its seed to its verdict.

use super::broken::Broken;
use super::callers;
use super::calm;
use super::house::House;
use super::scenario::{Action, Scenario};
use super::town::Town;
use smoother_core::RequestId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub seed: u64,
    /// Of every event, in order.
    pub hash: u64,
    pub faults: Vec<String>,
    /// All that happened.
    pub events: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
}

impl Verdict {
    /// What the house met, what befell the requests with a fault, and the last events of all.
    pub fn history(&self) -> String {
        const LAST: usize = 40;
        let faults = self.faults.join(" ");
        let concerned = |line: &str| {
            line.split_whitespace()
                .any(|word| word.len() == 8 && faults.contains(word))
        };
        let last = self.events.len().saturating_sub(LAST);
        let kept = self
            .events
            .iter()
            .enumerate()
            .filter(|(place, line)| *place >= last || line.contains(" house ") || concerned(line));
        let lines: Vec<&str> = kept.map(|(_, line)| line.as_str()).collect();
        lines.join("\n")
    }
}

/// Runs a seed in a runtime of its own, in virtual time.
pub fn run(seed: u64, broken: Option<Broken>) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(whole(&Scenario::of(seed), broken))
}

async fn whole(scenario: &Scenario, broken: Option<Broken>) -> Verdict {
    let town = Town::new(scenario, broken);
    let mut errands = Errands {
        town: town.clone(),
        callers: JoinSet::new(),
        others: JoinSet::new(),
    };
    town.start().await;
    let began = Instant::now();
    for (at, action) in &scenario.plan {
        errands.until(began + *at).await;
        errands.begin(action.clone()).await;
    }
    errands.until(began + scenario.storm).await;
    town.calm();
    calm::settle(&town, errands.callers, errands.others).await;
    let book = town.judge.book();
    Verdict {
        seed: scenario.seed,
        hash: book.hash(),
        faults: book.faults.clone(),
        events: book.events(),
        counts: book.counts.clone(),
    }
}

struct Errands {
    town: Town,
    callers: JoinSet<()>,
    others: JoinSet<()>,
}

impl Errands {
    /// Lets time pass; a process that met a failed write ends and is started again.
    async fn until(&mut self, at: Instant) {
        loop {
            tokio::select! {
                biased;
                () = self.town.fatal() => self.crash(Duration::from_millis(200)).await,
                () = tokio::time::sleep_until(at) => return,
            }
        }
    }

    async fn begin(&mut self, action: Action) {
        match action {
            Action::Ask(ask) => drop(self.callers.spawn(callers::ask(self.town.clone(), ask))),
            Action::Cancel(lot) => self.cancel(lot),
            Action::Redrive => self.redrive(),
            Action::Crash(down) => self.crash(down).await,
            Action::Stop(down) => {
                let Some(house) = self.town.close() else { return };
                house.stop().await;
                house.close();
                tokio::time::sleep(down).await;
                self.town.start().await;
            }
            Action::Replace(pause) => self.replace(pause).await,
        }
    }

    async fn crash(&mut self, down: Duration) {
        if let Some(house) = self.town.close() {
            house.crash();
        }
        tokio::time::sleep(down).await;
        self.town.start().await;
    }

    async fn replace(&mut self, pause: Duration) {
        let Some(house) = self.town.close() else { return };
        house.leave_the_worker();
        self.town.judge.book().ledger.replaced = true;
        self.town.start().await;
        let town = self.town.clone();
        self.others.spawn(async move {
            tokio::time::sleep(pause).await;
            town.judge.note(
                "house",
                format!("the worker of {} goes on", house.process.number().get()),
            );
            house.back.stand_still(false);
        });
    }

    fn cancel(&mut self, lot: usize) {
        let ids: Vec<RequestId> = self.town.judge.book().rows.keys().copied().collect();
        let Some(id) = ids.get(lot % ids.len().max(1)).copied() else {
            return;
        };
        if let Some(house) = self.town.house() {
            self.town.judge.cancels(id);
            self.spawn_in(
                &house,
                move |house| async move { drop(house.ingest.cancel(id).await) },
            );
        }
    }

    fn redrive(&mut self) {
        let book = self.town.judge.book();
        let dead: Vec<_> = book.rows.values().filter(|row| row.dead).cloned().collect();
        drop(book);
        if let Some(house) = self.town.house() {
            self.spawn_in(&house, move |house| async move {
                for row in dead {
                    house.redrive(&row).await;
                }
            });
        }
    }

    /// Work for somebody who is cut off with the house.
    fn spawn_in<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        house: &Arc<House>,
        work: impl FnOnce(Arc<House>) -> F,
    ) {
        let (front, work) = (house.front.clone(), work(Arc::clone(house)));
        self.others.spawn(async move {
            tokio::select! {
                biased;
                () = front.gone() => {}
                () = work => {}
            }
        });
    }
}
