//! What survives every process: the durable tables, the plan of faults, the seed and the time.

use super::commits::Commits;
use super::fault::{Fate, Plan, Point};
use super::held::StaleWrites;
use super::model::{MemoryModel, Script};
use super::process::{Condition, Process, ProcessNo};
use super::tables::Tables;
use super::{WorldClock, WorldEntropy, lock};
use rand::SeedableRng;
use rand::rngs::StdRng;
use smoother_core::call::Call;
use smoother_core::hold::Lease;
use smoother_core::scheduler::LaneReport;
use smoother_core::{LaneId, ModelCall, Request, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How a world is made.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The one source of chance.
    pub seed: u64,
    /// Whether writes commit in the order in which their process began them.
    pub ordered: bool,
    /// How long a write takes to become durable when nothing delays it.
    pub commit_after: Duration,
    /// Payloads of more bytes than this do not travel inside the row's write.
    pub inline_limit: usize,
    /// The time at the world's beginning.
    pub epoch: Timestamp,
}

impl Default for Options {
    /// Commits in order after 2 ms, as an SSD takes; 64 KiB inline, as on one machine.
    fn default() -> Self {
        Self {
            seed: 0,
            ordered: true,
            commit_after: Duration::from_millis(2),
            inline_limit: 64 * 1024,
            epoch: Timestamp::from_millis(1_790_000_000_000),
        }
    }
}

/// A world for processes to live and die in. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct World(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    began: Instant,
    state: Mutex<State>,
    /// Rings when the outbox grows, and when a process ends.
    pub(super) bell: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) tables: Tables,
    pub(super) commits: Commits,
    pub(super) conditions: Vec<Condition>,
    pub(super) chance: StdRng,
    pub(super) entropy: StdRng,
    plan: Plan,
    passed: BTreeMap<super::Touched, u64>,
}

impl World {
    /// An empty world. Needs a tokio runtime, whose time it takes.
    pub fn new(options: Options) -> Self {
        let state = State {
            tables: Tables::default(),
            commits: Commits::default(),
            conditions: Vec::new(),
            chance: StdRng::seed_from_u64(options.seed),
            entropy: StdRng::seed_from_u64(options.seed ^ 0x5eed_0f1d),
            plan: Plan::default(),
            passed: BTreeMap::new(),
        };
        Self(Arc::new(Inner {
            options,
            began: Instant::now(),
            state: Mutex::new(state),
            bell: Notify::new(),
        }))
    }

    /// Lets `plan` decide the fate of every operation from now on. It may ask the world for the time only.
    pub fn plan(&self, plan: impl FnMut(&Point, &mut StdRng) -> Fate + Send + 'static) {
        self.lock().plan = Plan(Box::new(plan));
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.lock().plan = Plan::default();
    }

    /// Starts a process.
    pub fn boot(&self) -> Process {
        let mut state = self.lock();
        let number = ProcessNo(state.conditions.len());
        state.conditions.push(Condition::Up);
        drop(state);
        Process::new(self.clone(), number)
    }

    /// The upstream of every process: `script` says what it answers.
    pub fn model(
        &self,
        script: impl FnMut(&ModelCall, &mut StdRng) -> Script + Send + 'static,
    ) -> MemoryModel {
        MemoryModel::new(self.clone(), script)
    }

    /// From now on the indexes of what waits show each version of a row up to so much later.
    pub fn lag(&self, longest: Duration) {
        let seed = self.0.options.seed ^ 0x001a_6601;
        self.lock().tables.indexes.lag(longest, seed);
    }

    /// What a token of output costs in each lane, for pricing what waits.
    pub fn price(&self, burndowns: BTreeMap<LaneId, u64>) {
        self.lock().tables.indexes.price(burndowns);
    }

    /// The lease of a lane as it is stored now.
    pub fn lease(&self, lane: &LaneId) -> Option<Lease> {
        self.up_to_date().tables.held.lease(lane)
    }

    /// A lane as its holder last wrote it down.
    pub fn report(&self, lane: &LaneId) -> Option<LaneReport> {
        self.up_to_date().tables.held.report(lane)
    }

    /// What was written, or was to be, under an epoch that was over: for judging a run.
    pub fn stale_writes(&self) -> StaleWrites {
        self.up_to_date().tables.held.stale_writes
    }

    /// The world's clock.
    pub fn clock(&self) -> WorldClock {
        WorldClock(self.clone())
    }

    /// The world's chance, as the stages draw from it.
    pub fn entropy(&self) -> WorldEntropy {
        WorldEntropy(self.clone())
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.options.epoch + smoother_core::Millis::new(elapsed)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Every durable row, in order of arrival: for judging a run.
    pub fn rows(&self) -> Vec<Request> {
        self.up_to_date().tables.rows().cloned().collect()
    }

    /// Every durable call, by request and number: for judging a run.
    pub fn calls(&self) -> Vec<Call> {
        self.up_to_date().tables.calls().cloned().collect()
    }

    /// How often each operation was begun.
    pub fn passed(&self) -> BTreeMap<super::Touched, u64> {
        self.lock().passed.clone()
    }

    /// What the plan says, counted.
    pub(super) fn fate(&self, point: Point) -> Fate {
        self.lock().fate(point)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// The state with every commit made that is due by now.
    pub(super) fn up_to_date(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if state.commit_due(Instant::now(), self.now()) {
            self.0.bell.notify_waiters();
        }
        state
    }
}

impl State {
    pub(super) fn fate(&mut self, point: Point) -> Fate {
        *self.passed.entry(point.touched).or_insert(0) += 1;
        (self.plan.0)(&point, &mut self.chance)
    }

    /// Makes every commit due by `now`; whether the outbox grew.
    pub(super) fn commit_due(&mut self, now: Instant, at: Timestamp) -> bool {
        let before = self.tables.newest_entry();
        self.tables.held.now = at;
        while let Some(write) = self.commits.due(now) {
            (write.apply)(&mut self.tables, at);
        }
        self.tables.newest_entry() != before
    }
}
