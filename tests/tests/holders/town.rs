//! What everybody of a run shares.

use super::broken::{Broken, MaybeBroken};
use super::clock::{SpansByWall, Step, WallClock};
use super::judge::{Judge, lane};
use super::scenario::{Ask, Kind, Scenario};
use super::teller::Teller;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::config::Config;
use smoother_core::ports::{Clock, Hold};
use smoother_core::{LaneId, Millis, RequestId};
use smoother_tests::memory::{Fate, MemoryStore, Options, Point, Post, Process, Touched, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// What is taken out of a queue and not done with comes again after so long.
const HIDDEN_FOR: Duration = Duration::from_secs(30);

/// The shared part of a run.
#[derive(Clone)]
pub struct Town {
    pub scenario: Arc<Scenario>,
    pub broken: Option<Broken>,
    pub config: Arc<Config>,
    pub world: World,
    pub post: Post,
    pub judge: Judge,
    pub calls: UnboundedSender<LaneId>,
    /// What each request was asked to be.
    pub asked: Arc<Mutex<BTreeMap<RequestId, Ask>>>,
    chance: Arc<Mutex<StdRng>>,
    /// Draws the steps of clocks, and nothing else: a run without them is the same run.
    steps: Arc<Mutex<StdRng>>,
}

/// What a process has: its number, its clock, and its ways.
pub struct Place {
    pub process: Process,
    pub clock: Arc<dyn Clock>,
    pub store: Arc<MemoryStore>,
    pub hold: Arc<dyn Hold>,
    pub teller: Arc<Teller>,
}

impl Town {
    pub fn new(scenario: &Scenario, broken: Option<Broken>, calls: UnboundedSender<LaneId>) -> Self {
        let text = "[lanes.sonnet]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 60000\n";
        let mut config = Config::load(Some(("simulation", text)), None).expect("a configuration");
        let settings = config.lanes.get_mut(&lane()).expect("the lane");
        settings.tokens_per_minute = smoother_core::TokensPerMinute::new(scenario.tokens_per_minute);
        settings.requests_per_minute = scenario
            .requests_per_minute
            .map(smoother_core::RequestsPerMinute::new);
        settings.max_concurrency = scenario.max_concurrency;
        settings.call_timeout = Millis::from_secs(20);
        settings.output_burndown = 1;
        // A few failures on purpose are no reason to call nobody.
        settings.breaker.least_calls = 1_000;
        let world = World::new(Options {
            seed: scenario.seed,
            ordered: false,
            ..Options::default()
        });
        world.lag(scenario.longest_lag);
        if matches!(broken, Some(Broken::NoFence | Broken::LeaseForFence)) {
            world.unfence();
        }
        let scenario = Arc::new(scenario.clone());
        plan(&world, &scenario);
        Self {
            judge: Judge::new(
                &world,
                scenario.tokens_per_minute,
                scenario.requests_per_minute,
                scenario.max_concurrency,
            ),
            post: Post::new(&world, [lane()], HIDDEN_FOR),
            config: Arc::new(config),
            chance: Arc::new(Mutex::new(StdRng::seed_from_u64(scenario.seed ^ 0x70e4))),
            steps: Arc::new(Mutex::new(StdRng::seed_from_u64(scenario.seed ^ 0x57e9))),
            asked: Arc::default(),
            scenario,
            broken,
            world,
            calls,
        }
    }

    /// A process of its own, by a clock of its own.
    pub fn open(&self) -> Place {
        let ahead = if self.draws(self.scenario.wrong_clocks, 100) {
            let minutes = i64::try_from(self.draw(60_000, 600_000)).unwrap_or(0);
            if self.draws(1, 2) { minutes } else { -minutes }
        } else {
            i64::try_from(self.draw(0, 160)).unwrap_or(0) - 80
        };
        let process = self.world.boot();
        let number = process.number().get();
        let clock = WallClock::new(
            self.world.clone(),
            self.judge.clone(),
            number,
            ahead,
            self.draw_steps(),
        );
        let clock: Arc<dyn Clock> = if self.broken == Some(Broken::SpansByWall) {
            Arc::new(SpansByWall(clock))
        } else {
            Arc::new(clock)
        };
        let hold: Arc<dyn Hold> = Arc::new(MaybeBroken {
            hold: process.hold(),
            world: self.world.clone(),
            clock: Arc::clone(&clock),
            lease: Arc::default(),
            broken: self.broken,
        });
        let teller = Teller {
            office: self.post.of(&process),
            hold: Arc::clone(&hold),
            clock: Arc::clone(&clock),
            calls: self.calls.clone(),
            promise: Arc::default(),
        };
        Place {
            store: process.store(),
            teller: Arc::new(teller),
            process,
            clock,
            hold,
        }
    }

    /// When, and by how much, the wall of a new process is set in its life.
    fn draw_steps(&self) -> Vec<Step> {
        let mut chance = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let is_stepped = chance.random_range(0..100) < self.scenario.stepped_clocks;
        let many = chance.random_range(1..=2);
        let mut steps = Vec::new();
        for _ in 0..many {
            let span = chance.random_range(30_000..=600_000);
            steps.push(Step {
                at: self.world.now() + Millis::new(chance.random_range(100..=60_000)),
                by: if chance.random() { span } else { -span },
            });
        }
        steps.sort_by_key(|step| step.at);
        if is_stepped { steps } else { Vec::new() }
    }

    fn draw(&self, from: u64, to: u64) -> u64 {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.random_range(from..=to)
    }

    pub fn draws(&self, times: u32, of: u32) -> bool {
        self.draw(1, u64::from(of)) <= u64::from(times)
    }

    /// Some time passes.
    pub async fn after(&self, from: u64, to: u64) {
        tokio::time::sleep(Duration::from_millis(self.draw(from, to))).await;
    }

    pub fn ask(&self, id: RequestId) -> Option<Ask> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(&id).cloned()
    }

    pub fn is_storm(&self) -> bool {
        self.scenario.kind == Kind::Storm
    }
}

/// What goes wrong with operations.
fn plan(world: &World, scenario: &Arc<Scenario>) {
    let scenario = Arc::clone(scenario);
    world.plan(move |point: &Point, chance| {
        let mut strikes = |of_a_thousand: u32| chance.random_range(0..1_000) < of_a_thousand;
        if point.touched.sends() {
            return if strikes(scenario.doubled) {
                Fate::Duplicate
            } else if strikes(scenario.late) {
                Fate::Delay(Duration::from_millis(chance.random_range(10..12_000)))
            } else if strikes(scenario.faults) {
                Fate::FailBefore
            } else {
                Fate::Proceed
            };
        }
        if strikes(scenario.faults) {
            return Fate::FailBefore;
        }
        // Whether a take or a fence was made is read back; of other writes nobody knows.
        if point.touched.writes() && strikes(scenario.faults) {
            return Fate::FailAfter;
        }
        if point.touched != Touched::Lease && strikes(scenario.late) {
            return Fate::Delay(Duration::from_millis(chance.random_range(1..1_500)));
        }
        Fate::Proceed
    });
}
