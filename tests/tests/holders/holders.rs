//! Invocations of the prioritizer: called by whoever tells the lane something, by a schedule, and by one whose time
//! is up; paused, and killed.

use super::judge::{lane, short};
use super::pause::{Gate, Pausable};
use super::scenario::Blow;
use super::town::{Place, Town};
use smoother_core::State;
use smoother_core::ports::LaneQueue;
use smoother_prioritizer::{HoldEnd, HoldPorts, LanePorts, hold};
use smoother_tests::memory::Process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One invocation that is under way.
struct Invocation {
    owner: String,
    process: Process,
    gate: Gate,
    relieved: CancellationToken,
    task: AbortHandle,
}

/// Those that are under way. Clones are the same.
#[derive(Clone)]
pub struct Holders {
    town: Town,
    under_way: Arc<Mutex<Vec<Invocation>>>,
}

/// What a process needs to hold the lane.
pub fn ports(town: &Town, place: &Place, relieved: CancellationToken) -> Arc<HoldPorts> {
    Arc::new(HoldPorts {
        lane: Arc::new(LanePorts {
            store: place.store.clone(),
            payloads: place.store.clone(),
            dispatch: Arc::new(town.post.of(&place.process)),
            lanes: place.teller.clone() as Arc<dyn LaneQueue>,
            clock: place.clock.clone(),
        }),
        hold: place.hold.clone(),
        inbox: Arc::new(town.post.of(&place.process)),
        handing: town.scenario.handing,
        relieved,
    })
}

impl Holders {
    pub fn new(town: Town) -> Self {
        Self {
            town,
            under_way: Arc::default(),
        }
    }

    /// Answers calls.
    pub async fn answer(self, mut calls: UnboundedReceiver<smoother_core::LaneId>) {
        while calls.recv().await.is_some() {
            let holders = self.clone();
            tokio::spawn(async move {
                holders.town.after(20, 300).await;
                holders.invoke();
            });
        }
    }

    /// Calls a holder once a minute.
    pub async fn schedule(self) {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.invoke();
        }
    }

    fn invoke(&self) {
        let town = self.town.clone();
        let place = town.open();
        let number = place.process.number().get();
        let owner = format!("h{number}");
        let gate = Gate::default();
        let relieved = CancellationToken::new();
        let ports = ports(&town, &place, relieved.clone());
        let until = Instant::now() + town.scenario.time_limit;
        let (holders, name) = (self.clone(), owner.clone());
        let work = async move {
            let config = town.config.clone();
            let ended = hold(&config, &config.lanes[&lane()], ports, &name, until).await;
            holders.ended(&name, &ended);
        };
        let task = tokio::spawn(Pausable::new(work, gate.clone()));
        let invocation = Invocation {
            owner,
            process: place.process,
            gate,
            relieved,
            task: task.abort_handle(),
        };
        self.lock().push(invocation);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Invocation>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, name: &str, ended: &Result<HoldEnd, smoother_prioritizer::HoldFailure>) {
        self.lock().retain(|one| one.owner != name);
        let town = &self.town;
        let what = match ended {
            Ok(HoldEnd::Elsewhere) => "awake",
            Ok(HoldEnd::Idle) => "idle",
            Ok(HoldEnd::TimeUp) => "time up",
            Ok(HoldEnd::Lost) => "stopped",
            Err(_) => "failed",
        };
        town.judge.note(what, name);
        if matches!(ended, Ok(HoldEnd::Idle)) && !town.is_storm() {
            self.leaves_nothing_behind(name);
        }
        // As the root does it.
        if matches!(ended, Ok(HoldEnd::TimeUp)) {
            drop(town.calls.send(lane()));
        }
    }

    /// Whoever leaves because there is nothing to do has seen to everything that was there to be seen.
    fn leaves_nothing_behind(&self, name: &str) {
        let town = &self.town;
        let age = town.scenario.longest_lag + Duration::from_secs(4);
        for row in town.world.rows() {
            let waited = town.world.now().since(row.arrived_at);
            if row.state == State::Queued && row.call.get() == 0 && Duration::from(waited) > age {
                town.judge
                    .fault(format!("left behind: {} by {name}", short(row.id)));
            }
        }
    }

    /// Befalls whoever holds the lane, or anybody.
    pub fn strike(&self, blow: Blow) {
        let held = self.town.world.lease(&lane()).map(|lease| lease.owner);
        let mut under_way = self.lock();
        let place = under_way
            .iter()
            .position(|one| Some(&one.owner) == held.as_ref())
            .or_else(|| under_way.len().checked_sub(1));
        let Some(place) = place else { return };
        match blow {
            Blow::Pause(span) => {
                let one = &under_way[place];
                self.town
                    .judge
                    .note("paused", &format!("{} for {span:?}", one.owner));
                one.gate.shut_until(Instant::now() + span);
            }
            Blow::Relieve => {
                let one = &under_way[place];
                self.town.judge.note("relieved", &one.owner);
                one.relieved.cancel();
            }
            Blow::Crash => {
                let one = under_way.remove(place);
                self.town.judge.note("killed", &one.owner);
                one.task.abort();
                one.process.crash();
            }
        }
    }
}
