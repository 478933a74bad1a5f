//! A lane, its store and its workers, while holders come, go, and stop in the midst of something.

use super::super::world::{Dice, START, at, config, lane, tenant, waiting};
use crate::breaker::CallHealth;
use crate::config::{LaneConfig, Pacing};
use crate::ids::{CallNo, RequestId};
use crate::ledger::CallKey;
use crate::ledger::tests::limiters::{Kind, Limiter};
use crate::request::Priority;
use crate::scheduler::{Again, Command, Event, LaneSnapshot, Scheduler, Waiting};
use crate::units::{Millis, Timestamp, Tokens};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

const REQUESTS: u64 = 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    Released,
    Running,
    Done,
}

#[derive(Debug, Clone)]
struct Row {
    waiting: Waiting,
    state: State,
    call: CallNo,
    void_after: u64,
    lasts: u64,
    costs: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrival(u64),
    Claim(CallKey),
    End(CallKey),
    Hear(usize),
    Wake(usize),
    Crash,
}

/// The windows, which are credited where they were charged however late an end is heard of. A bucket is credited when
/// it is heard of, and may have overflowed meanwhile.
const WINDOWS: [Kind; 2] = [Kind::Fixed, Kind::Sliding];

/// Holders one after the other, and an exact limiter of each kind that knows every call.
struct Town {
    dice: Dice,
    lane: LaneConfig,
    now: u64,
    scheduler: Scheduler,
    /// How far the holder's clock is off.
    off: i64,
    holders: usize,
    wishes: usize,
    stored: Option<String>,
    version: u64,
    rows: BTreeMap<RequestId, Row>,
    /// What calls have cost that are over.
    over: BTreeMap<CallKey, u64>,
    events: Vec<Event>,
    /// Heard, and not in any stored ledger.
    unstored: Vec<Event>,
    limiters: Vec<Limiter>,
    happenings: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    planned: u64,
}

impl Town {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut lane = lane(60_000, Some(40 + dice.below(200)), Pacing::Auto);
        lane.max_concurrency = 4 + u32::try_from(dice.below(30)).unwrap();
        lane.call_timeout = Millis::from_secs(30);
        let limiter = |kind| Limiter::new(kind, 60_000, lane.requests_per_minute.map(|limit| limit.get()));
        let mut town = Self {
            scheduler: Scheduler::new(config(lane.clone()), at(0)),
            limiters: WINDOWS.map(limiter).to_vec(),
            lane,
            now: 0,
            off: 0,
            holders: 0,
            wishes: 0,
            stored: None,
            version: 0,
            rows: BTreeMap::new(),
            over: BTreeMap::new(),
            events: Vec::new(),
            unstored: Vec::new(),
            happenings: BinaryHeap::new(),
            planned: 0,
            dice,
        };
        for number in 0..REQUESTS {
            let when = town.dice.below(60_000);
            town.plan(when, Happening::Arrival(number));
        }
        for _ in 0..town.dice.below(5) {
            let when = 5_000 + town.dice.below(80_000);
            town.plan(when, Happening::Crash);
        }
        town
    }

    fn plan(&mut self, when: u64, what: Happening) {
        self.planned += 1;
        self.happenings.push(Reverse((when, self.planned, what)));
    }

    /// The holder's time.
    fn clock(&self) -> Timestamp {
        let ms = i64::try_from(START + self.now).unwrap() + self.off;
        Timestamp::from_millis(u64::try_from(ms).unwrap())
    }

    fn run(mut self, seed: u64) {
        while let Some(Reverse((when, _, what))) = self.happenings.pop() {
            assert!(when < 3_600_000, "seed {seed}: it never ends");
            self.now = self.now.max(when);
            self.happen(&what, seed);
        }
        let left = self.rows.values().filter(|row| row.state != State::Done).count();
        assert_eq!(left, 0, "seed {seed}: requests are left behind");
        assert_eq!(self.rows.len() as u64, REQUESTS);
        assert_eq!(
            self.scheduler.view(self.clock()).concurrency.used,
            0,
            "seed {seed}"
        );
    }

    fn happen(&mut self, what: &Happening, seed: u64) {
        match *what {
            Happening::Arrival(number) => self.arrive(number),
            Happening::Claim(key) => self.claim(key, seed),
            Happening::End(key) => self.end(key),
            Happening::Hear(place) => {
                let event = self.events[place].clone();
                self.hear(event);
            }
            // An earlier wish is void.
            Happening::Wake(wish) if wish == self.wishes => self.hear(Event::Tick),
            Happening::Wake(_) => {}
            Happening::Crash => self.next_holder(),
        }
    }

    fn arrive(&mut self, number: u64) {
        let most = if self.dice.below(10) == 0 { 9_000 } else { 2_000 };
        let reserve = 200 + self.dice.below(most);
        let mut one = waiting(
            number,
            self.now,
            Priority::ALL[self.dice.below(3) as usize],
            reserve,
        );
        one.tenant = tenant(&format!("t{}", self.dice.below(4)));
        let row = Row {
            waiting: one.clone(),
            state: State::Queued,
            call: CallNo::NONE,
            void_after: 0,
            lasts: 50 + self.dice.below(6_000),
            costs: reserve * (10 + self.dice.below(91)) / 100,
        };
        self.rows.insert(one.id, row);
        self.hear(Event::Arrived(one));
    }

    /// A call starts: by now there must be room for it, whatever stands upstream.
    fn claim(&mut self, key: CallKey, seed: u64) {
        let now = self.now;
        let row = self.rows.get_mut(&key.0).unwrap();
        if row.state != State::Released || row.call != key.1 {
            return;
        }
        row.state = State::Running;
        let (reserve, lasts) = (row.waiting.reserve.get(), row.lasts);
        for (limiter, kind) in self.limiters.iter_mut().zip(WINDOWS) {
            assert!(
                limiter.admit(START + now, key, reserve),
                "seed {seed}: {kind:?} refuses {reserve} tokens at {now} ms, with holder {}",
                self.holders
            );
        }
        let running = self
            .rows
            .values()
            .filter(|row| row.state == State::Running)
            .count();
        assert!(
            running <= self.lane.max_concurrency as usize,
            "seed {seed}: {running} at once"
        );
        let (request, call) = key;
        // Its clock is anybody's guess; whoever holds the lane dates the start by its own.
        self.tell(Event::Started {
            request,
            call,
            at: at(0),
        });
        self.plan(now + lasts, Happening::End(key));
    }

    fn end(&mut self, key: CallKey) {
        let row = self.rows.get_mut(&key.0).unwrap();
        let (reserve, costs) = (row.waiting.reserve.get(), row.costs);
        row.state = State::Done;
        self.over.insert(key, costs);
        for limiter in &mut self.limiters {
            limiter.settle(START + self.now, key, reserve, costs);
        }
        let ended = self.ended(key, costs);
        self.tell(ended);
    }

    fn ended(&self, (request, call): CallKey, costs: u64) -> Event {
        Event::Ended {
            request,
            call,
            charged: Tokens::new(costs),
            throttle: None,
            again: Again::No,
            health: CallHealth::Fine,
            at: at(self.now),
        }
    }

    /// An event on its way: soon, late, twice.
    fn tell(&mut self, event: Event) {
        let place = self.events.len();
        self.events.push(event);
        let late = if self.dice.below(8) == 0 { 8_000 } else { 60 };
        for _ in 0..=u64::from(self.dice.below(6) == 0) {
            let when = self.now + self.dice.below(late);
            self.plan(when, Happening::Hear(place));
        }
    }

    fn hear(&mut self, event: Event) {
        let mut todo = VecDeque::from([event]);
        while let Some(mut event) = todo.pop_front() {
            if matches!(event, Event::Started { .. } | Event::Ended { .. }) {
                self.unstored.push(event.clone());
            }
            let now = self.clock();
            if let Event::Started { at, .. } = &mut event {
                *at = now;
            }
            let commands = self.scheduler.step(now, event);
            // The ledger that covers a step's releases is stored before any of them is recorded.
            if self.scheduler.ledger_version() != self.version {
                self.store();
            }
            for command in commands {
                todo.extend(self.obey(command));
            }
        }
    }

    fn store(&mut self) {
        self.version = self.scheduler.ledger_version();
        let snapshot = self.scheduler.snapshot(self.clock());
        self.stored = Some(serde_json::to_string(&snapshot).unwrap());
        self.unstored.clear();
    }

    fn obey(&mut self, command: Command) -> Vec<Event> {
        match command {
            Command::Release { request, call, .. } => self.release((request, call)),
            Command::Check { request, call } => self.check((request, call)),
            Command::Lose {
                request,
                call,
                reserve,
            } => vec![self.ended((request, call), reserve.get())],
            Command::WakeAt(moment) => {
                let wait = moment.since(self.clock()).get();
                self.wishes += 1;
                self.plan(self.now + wait, Happening::Wake(self.wishes));
                Vec::new()
            }
            Command::Fail { failure, .. } => panic!("{failure:?}"),
            Command::Expire { .. } | Command::Leave { .. } | Command::Refill { .. } => Vec::new(),
        }
    }

    fn release(&mut self, key: CallKey) -> Vec<Event> {
        let row = self.rows.get_mut(&key.0).unwrap();
        if row.state != State::Queued || row.call.next() != key.1 {
            return self.never_made(key);
        }
        let slow = if self.dice.below(10) == 0 { 19_000 } else { 200 };
        match self.dice.below(20) {
            // The write is lost; only the lane's ledger knows of it.
            0 => return Vec::new(),
            // Recorded, and nobody claims it.
            1 => {
                row.state = State::Released;
                row.call = key.1;
                row.void_after = self.now + 20_000;
                return Vec::new();
            }
            _ => {}
        }
        row.state = State::Released;
        row.call = key.1;
        row.void_after = self.now + 20_000;
        let when = self.now + 2 + self.dice.below(slow);
        self.plan(when, Happening::Claim(key));
        Vec::new()
    }

    fn never_made(&self, (request, call): CallKey) -> Vec<Event> {
        let mut events = vec![Event::Void { request, call }];
        let row = &self.rows[&request];
        if row.state == State::Queued {
            events.push(Event::Arrived(Waiting {
                last_call: row.call,
                ..row.waiting.clone()
            }));
        }
        events
    }

    fn check(&mut self, key: CallKey) -> Vec<Event> {
        let (request, call) = key;
        let started = Event::Started {
            request,
            call,
            at: at(0),
        };
        if let Some(costs) = self.over.get(&key) {
            return vec![started, self.ended(key, *costs)];
        }
        let row = self.rows.get_mut(&request).unwrap();
        match row.state {
            State::Running if row.call == call => return vec![started],
            // It may be claimed yet.
            State::Released if row.call == call && self.now <= row.void_after => return Vec::new(),
            State::Released if row.call == call => row.state = State::Queued,
            State::Queued if row.call.next() == call => row.call = call,
            _ => {}
        }
        self.never_made(key)
    }

    /// The holder is gone, and another takes up what was stored, after a while and by another clock.
    fn next_holder(&mut self) {
        self.now += self.dice.below(20_000);
        self.holders += 1;
        self.wishes += 1;
        self.off = match self.dice.below(4) {
            0 => 300_000 + 7_000,
            1 => -300_000 - 13_000,
            2 => 90,
            _ => 0,
        };
        let now = self.clock();
        self.scheduler = Scheduler::new(config(self.lane.clone()), now);
        if let Some(stored) = &self.stored {
            let snapshot: LaneSnapshot = serde_json::from_str(stored).unwrap();
            self.scheduler.resume(now, &snapshot);
        }
        let queued = self.rows.values().filter(|row| row.state == State::Queued);
        let waits: Vec<Waiting> = queued
            .map(|row| Waiting {
                last_call: row.call,
                ..row.waiting.clone()
            })
            .collect();
        self.scheduler.take_up(now, &waits, &[]);
        self.version = self.scheduler.ledger_version();
        // What no stored ledger knows of comes again.
        for event in std::mem::take(&mut self.unstored) {
            self.tell(event);
        }
        self.hear(Event::Tick);
    }
}

#[test]
fn no_holder_overspends_what_its_predecessors_and_it_have_charged() {
    for seed in 0..60 {
        Town::new(seed).run(seed);
    }
}
