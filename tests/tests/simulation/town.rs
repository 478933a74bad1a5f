//! What outlives the processes of a run: the world, the upstream, the judge; and which process serves now.

use super::broken::Broken;
use super::house::House;
use super::judge::Judge;
use super::rig::{Mischief, Post};
use super::scenario::Scenario;
use super::upstream::Upstream;
use smoother_core::config::Config;
use smoother_tests::memory::{MemoryModel, Options, ProcessNo, World};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Time between a failed start and the next.
const START_AGAIN: Duration = Duration::from_millis(500);

/// Where a run takes place. Clones are the same.
#[derive(Clone)]
pub struct Town {
    pub world: World,
    pub config: Config,
    pub judge: Judge,
    pub upstream: Upstream,
    pub model: MemoryModel,
    pub mischief: Mischief,
    pub post: Post,
    pub one_machine: bool,
    serving: Arc<Serving>,
    fatal: Arc<Fatal>,
}

/// Which process serves. Those who wait for one are woken in the order in which they came.
#[derive(Default)]
struct Serving {
    house: Mutex<Option<Arc<House>>>,
    bell: Notify,
}

impl Serving {
    fn replace(&self, house: Option<Arc<House>>) -> Option<Arc<House>> {
        let former = std::mem::replace(&mut *lock(&self.house), house);
        self.bell.notify_waiters();
        former
    }
}

/// Which process has met a failed write, and has to end.
#[derive(Default)]
pub struct Fatal {
    process: Mutex<Option<ProcessNo>>,
    bell: Notify,
}

impl Town {
    pub fn new(scenario: &Scenario, broken: Option<Broken>) -> Self {
        let config =
            Config::load(Some(("simulation", &scenario.settings)), None).expect("settings are sound");
        let world = World::new(Options {
            seed: scenario.seed,
            ordered: scenario.one_machine,
            ..Options::default()
        });
        let judge = Judge::new(&world, &config, &scenario.weather);
        let upstream = Upstream::new(&world, &judge, &config, scenario.weather, scenario.seed);
        let answering = upstream.clone();
        let model = world.model(move |call, chance| answering.answer(call, chance));
        let (fatal, weather) = (Arc::new(Fatal::default()), scenario.weather);
        let tell = Arc::clone(&fatal);
        world.plan(move |point, chance| {
            let mut ends = false;
            let fate = weather.fate(point, chance, &mut ends);
            if ends {
                tell.tell(point.process);
            }
            fate
        });
        Self {
            mischief: Mischief::new(scenario.weather, broken, scenario.seed),
            post: Post::default(),
            one_machine: scenario.one_machine,
            world,
            config,
            judge,
            upstream,
            model,
            serving: Arc::default(),
            fatal,
        }
    }

    /// Whoever serves now.
    pub fn house(&self) -> Option<Arc<House>> {
        lock(&self.serving.house).clone()
    }

    /// Whoever serves, once somebody does.
    pub async fn some_house(&self) -> Arc<House> {
        loop {
            if let Some(house) = self.house() {
                return house;
            }
            // Nothing else runs between the look and the wait.
            self.serving.bell.notified().await;
        }
    }

    /// Starts a process and lets it serve; one that does not come up is started again.
    pub async fn start(&self) {
        loop {
            let process = self.world.boot();
            self.judge
                .note("house", format!("{} starts", process.number().get()));
            match House::open(self, process.clone()).await {
                Ok(house) if !house.front.is_over() => {
                    self.serving.replace(Some(house));
                    return;
                }
                _ => process.crash(),
            }
            self.judge
                .note("house", format!("{} did not come up", process.number().get()));
            tokio::time::sleep(START_AGAIN).await;
        }
    }

    /// Nobody serves any more; whoever did.
    pub fn close(&self) -> Option<Arc<House>> {
        let house = self.serving.replace(None);
        if let Some(house) = &house {
            self.judge.note(
                "house",
                format!("{} serves no longer", house.process.number().get()),
            );
        }
        house
    }

    /// Resolves when the process that serves has met a failed write.
    pub async fn fatal(&self) {
        loop {
            let mut rung = std::pin::pin!(self.fatal.bell.notified());
            rung.as_mut().enable();
            let met = *lock(&self.fatal.process);
            if met.is_some() && self.house().map(|house| house.process.number()) == met {
                return;
            }
            rung.await;
        }
    }

    /// Nothing goes wrong any more, but for what is broken.
    pub fn calm(&self) {
        self.judge.note("house", "calm");
        self.world.heal();
        self.mischief.calm();
        self.upstream.calm();
    }
}

impl Fatal {
    fn tell(&self, process: ProcessNo) {
        *lock(&self.process) = Some(process);
        self.bell.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
