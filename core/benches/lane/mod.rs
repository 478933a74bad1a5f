//! A busy lane in memory, for measuring single decisions: so many requests wait in it, a thousand calls run, and every
//! call that ends lets the next one go.

mod dice;

pub use dice::Dice;

use smoother_core::breaker::CallHealth;
use smoother_core::config::Config;
use smoother_core::scheduler::{Again, Command, Event, Gone, Scheduler, SchedulerConfig, Waiting};
use smoother_core::{CallNo, Priority, RequestId, TenantId, Timestamp, Tokens};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How many wait: from a hundred to a million.
pub const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Their tenants, where there are so many requests.
pub const TENANTS: u64 = 10_000;
/// Calls at once.
const RUNNING: usize = 1_000;
/// 2026-11-20T12:00:07Z.
const BEGINNING: u64 = 1_795_176_007_000;
/// Decisions in a millisecond of the lane's time.
pub const PER_MILLISECOND: u64 = 20;

/// The quota is no bound here: places are.
const SETTINGS: &str = r#"
[lanes.busy]
model = "anthropic.claude-sonnet-4-20250514-v1:0"
region = "us-east-1"
tokens_per_minute = 100000000000
max_concurrency = 1000
"#;

/// One decision that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A request arrives and waits.
    Arrival,
    /// A call ends, is settled, and the next request is let go.
    SettleAndRelease,
    /// A request that was let go has started.
    Start,
    /// A request that waits is cancelled.
    Cancel,
}

impl Decision {
    pub const ALL: [Self; 4] = [Self::Arrival, Self::SettleAndRelease, Self::Start, Self::Cancel];

    pub fn name(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::SettleAndRelease => "settlement and next release",
            Self::Start => "start",
            Self::Cancel => "cancel",
        }
    }
}

/// The lane, and what a driver knows of it.
pub struct Lane {
    scheduler: Scheduler,
    dice: Dice,
    steps: u64,
    number: u64,
    waiting: Vec<RequestId>,
    places: HashMap<RequestId, usize>,
    released: VecDeque<(RequestId, CallNo)>,
    running: VecDeque<(RequestId, CallNo)>,
    commands: Vec<Command>,
}

impl Lane {
    /// One in which so many wait, of all bands and of up to ten thousand tenants.
    pub fn with(waiting: usize) -> Self {
        let mut lane = Self {
            scheduler: Scheduler::new(settings(), moment(0)),
            dice: Dice(1),
            steps: 0,
            number: 0,
            waiting: Vec::new(),
            places: HashMap::new(),
            released: VecDeque::new(),
            running: VecDeque::new(),
            commands: Vec::new(),
        };
        while lane.waiting.len() < waiting {
            lane.decide(Decision::Arrival);
            while !lane.released.is_empty() {
                lane.decide(Decision::Start);
            }
        }
        assert_eq!(lane.running.len(), RUNNING, "the lane is not full");
        lane
    }

    /// Each decision once, so that as many wait as before; how long each took.
    pub fn round(&mut self) -> [(Decision, Duration); 4] {
        // Two come and two leave: one is let go, one is cancelled.
        let arrival = self.decide(Decision::Arrival);
        self.decide(Decision::Arrival);
        let settled = self.decide(Decision::SettleAndRelease);
        let start = self.decide(Decision::Start);
        let cancel = self.decide(Decision::Cancel);
        [
            (Decision::Arrival, arrival),
            (Decision::SettleAndRelease, settled),
            (Decision::Start, start),
            (Decision::Cancel, cancel),
        ]
    }

    fn decide(&mut self, decision: Decision) -> Duration {
        self.steps += 1;
        let now = moment(self.steps / PER_MILLISECOND);
        let event = match decision {
            Decision::Arrival => self.arrival(now),
            Decision::SettleAndRelease => self.end(now),
            Decision::Start => self.start(now),
            Decision::Cancel => self.cancel(),
        };
        self.commands.clear();
        let began = Instant::now();
        self.scheduler.step_into(now, event, &mut self.commands);
        let took = began.elapsed();
        self.heed(decision);
        took
    }

    /// Does what the scheduler wants done.
    fn heed(&mut self, decision: Decision) {
        let commands = std::mem::take(&mut self.commands);
        let mut released = 0;
        for command in &commands {
            if let Command::Release { request, call, .. } = command {
                self.no_longer_waits(*request);
                self.released.push_back((*request, *call));
                released += 1;
            }
        }
        assert!(
            decision != Decision::SettleAndRelease || released == 1,
            "{commands:?}"
        );
        self.commands = commands;
    }

    fn arrival(&mut self, now: Timestamp) -> Event {
        self.number += 1;
        let waiting = request(&mut self.dice, self.number, now);
        self.places.insert(waiting.id, self.waiting.len());
        self.waiting.push(waiting.id);
        Event::Arrived(waiting)
    }

    fn end(&mut self, now: Timestamp) -> Event {
        let (request, call) = self.running.pop_front().expect("a call runs");
        Event::Ended {
            request,
            call,
            charged: Tokens::new(300 + self.dice.below(3_000)),
            throttle: None,
            again: Again::No,
            health: CallHealth::Fine,
            at: now,
        }
    }

    fn start(&mut self, now: Timestamp) -> Event {
        let (request, call) = self.released.pop_front().expect("a release is not started");
        self.running.push_back((request, call));
        Event::Started {
            request,
            call,
            at: now,
        }
    }

    fn cancel(&mut self) -> Event {
        let place = self.dice.below(self.waiting.len() as u64) as usize;
        let request = self.waiting[place];
        self.no_longer_waits(request);
        Event::Left {
            request,
            why: Gone::Cancelled,
        }
    }

    fn no_longer_waits(&mut self, id: RequestId) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        self.waiting.swap_remove(place);
        if let Some(moved) = self.waiting.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

pub fn settings() -> SchedulerConfig {
    let config = Config::load(Some(("the bench", SETTINGS)), []).expect("settings");
    let lane = config.lanes.values().next().expect("a lane");
    SchedulerConfig::of(&config, lane)
}

pub fn moment(ms: u64) -> Timestamp {
    Timestamp::from_millis(BEGINNING + ms)
}

pub fn request(dice: &mut Dice, number: u64, now: Timestamp) -> Waiting {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let reserve = 500 + dice.below(5_000);
    Waiting {
        id: RequestId::from_bytes(id),
        tenant: TenantId::new(&format!("tenant-{}", dice.below(TENANTS))).expect("a name"),
        priority: Priority::ALL[dice.below(3) as usize],
        arrived_at: now,
        // A quarter has to be over by some time of the next day.
        deadline: (dice.below(4) == 0).then(|| moment(86_400_000 + dice.below(86_400_000))),
        latest_start: None,
        reserve: Tokens::new(reserve),
        expected: Tokens::new(reserve * (20 + dice.below(80)) / 100),
        surplus: Tokens::ZERO,
        last_call: CallNo::NONE,
        not_before: None,
        retries: false,
        may_leave: false,
        has_next_lane: false,
        by_caller: false,
    }
}
