//! A lane that passes from holder to holder: whatever the last one wrote, the next one never spends twice, and frees
//! nothing that may still be claimed.

use super::released;
use super::world::{Dice, START, at, config, id, lane, tenant, waiting};
use crate::breaker::CallHealth;
use crate::config::{LaneConfig, Pacing};
use crate::ids::{CallNo, RequestId};
use crate::ledger::CallKey;
use crate::ledger::tests::limiters::{Kind, Limiter};
use crate::request::Priority;
use crate::scheduler::{Again, Command, Event, LaneSnapshot, Scheduler, TenantsSnapshot, Waiting};
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

fn busy(calls: u64, requests: Option<u64>) -> Scheduler {
    let mut lane = lane(60_000_000, requests, Pacing::Auto);
    lane.max_concurrency = u32::try_from(calls).unwrap();
    Scheduler::new(config(lane), at(0))
}

fn ended(number: u64, ms: u64) -> Event {
    super::ended(id(number), 1, 900, ms)
}

#[test]
fn a_snapshot_is_small() {
    let mut scheduler = busy(64, Some(60_000));
    for number in 0..61 {
        let ms = number * 1_000;
        let many = waiting(1_000 + number, ms, Priority::Normal, 123_456);
        scheduler.step(at(ms), Event::Arrived(many));
        scheduler.step(at(ms), super::started(id(1_000 + number), 1, ms));
        scheduler.step(at(ms), super::ended(id(1_000 + number), 1, 98_765, ms));
    }
    for number in 0..64 {
        // Ids as they are, not mostly zeros.
        let mut one = waiting(number, 60_500, Priority::Normal, 65_432);
        one.id = RequestId::fresh(at(60_500), [u8::try_from(number).unwrap() ^ 0x5a; 10]);
        let request = one.id;
        scheduler.step(at(60_500), Event::Arrived(one));
        if number % 2 == 0 {
            scheduler.step(at(60_700), super::started(request, 1, 60_700));
        }
    }
    let snapshot = scheduler.snapshot(at(61_000));
    assert_eq!(snapshot.under_way(), 64);
    let text = serde_json::to_string(&snapshot).unwrap();
    assert!(text.len() < 4_096, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<LaneSnapshot>(&text).unwrap(), snapshot);
}

#[test]
fn a_snapshot_of_the_version_before_is_read_and_one_of_a_later_is_not() {
    let snapshot = busy(4, None).snapshot(at(0));
    let mut value = serde_json::to_value(&snapshot).unwrap();
    let version = value["v"].as_u64().unwrap();
    value["v"] = (version - 1).into();
    value.as_object_mut().unwrap().remove("m");
    assert_eq!(
        serde_json::from_value::<LaneSnapshot>(value.clone()).unwrap(),
        snapshot
    );
    value["v"] = (version + 1).into();
    let refused = serde_json::from_value::<LaneSnapshot>(value)
        .unwrap_err()
        .to_string();
    assert!(refused.contains(&format!("version {}", version + 1)), "{refused}");
}

#[test]
fn a_release_stays_reserved_until_its_row_was_read() {
    let mut first = busy(2, None);
    for number in 0..2 {
        first.step(at(0), Event::Arrived(waiting(number, 0, Priority::Normal, 1_000)));
    }
    first.step(at(500), super::started(id(1), 1, 500));
    let left = first.snapshot(at(1_000));
    // By a clock that is a minute ahead.
    let mut next = busy(2, None);
    next.resume(at(61_000), &left);
    let view = next.view(at(61_000));
    assert_eq!((view.released, view.running), (1, 1));
    let commands = next.step(at(61_000), Event::Arrived(waiting(9, 0, Priority::Normal, 1_000)));
    assert!(matches!(commands[0], Command::Check { .. }), "{commands:?}");
    let check = Command::Check {
        request: id(0),
        call: CallNo::new(1),
    };
    // Looked at again and again, and nothing is freed before there is an answer.
    for ms in [66_000, 71_000, 85_000] {
        let commands = next.step(at(ms), Event::Tick);
        assert_eq!(commands[0], check);
        assert!(released(&commands).is_empty(), "{commands:?}");
    }
    let void = Event::Void {
        request: id(0),
        call: CallNo::new(1),
    };
    assert_eq!(released(&next.step(at(85_100), void)), [(id(9), 1)]);
    next.step(at(85_200), ended(1, 85_200));
    assert_eq!(next.view(at(85_200)).concurrency.used, 1);
}

#[test]
fn a_call_number_that_another_holder_gave_out_is_not_given_out_again() {
    let mut first = busy(2, None);
    first.step(at(0), Event::Arrived(waiting(1, 0, Priority::Normal, 1_000)));
    let left = first.snapshot(at(10));
    let mut next = busy(2, None);
    next.resume(at(20), &left);
    // An index that lags shows it as it waited before; or it still waits, and the write is on its way.
    let old = waiting(1, 0, Priority::Normal, 1_000);
    next.take_up(at(20), std::slice::from_ref(&old), &[]);
    let commands = next.step(at(20), Event::Tick);
    assert!(released(&commands).is_empty(), "{commands:?}");
    let (request, call) = (id(1), CallNo::new(1));
    next.step(at(30), Event::Lapsed { request, call });
    let again = Waiting {
        last_call: call,
        ..old
    };
    assert_eq!(released(&next.step(at(30), Event::Arrived(again))), [(id(1), 2)]);
}

#[test]
fn what_is_lost_between_two_holders_is_back_within_about_a_minute() {
    let mut first = busy(8, Some(100));
    for number in 0..8 {
        first.step(
            at(0),
            Event::Arrived(waiting(number, 0, Priority::Normal, 1_000_000)),
        );
        first.step(at(0), super::started(id(number), 1, 0));
        first.step(at(900), ended(number, 900));
    }
    let left = first.snapshot(at(1_000));
    // However long ago that was: how far two clocks are apart nobody knows.
    let later = 3_600_000;
    let mut next = busy(8, Some(100));
    next.resume(at(later), &left);
    assert!(next.view(at(later)).tokens.used >= 8 * 900);
    assert!(!next.is_quiet(at(later)));
    let (fresh, view) = (busy(8, Some(100)), next.view(at(later + 62_000)));
    let full = fresh.view(at(later + 62_000));
    assert_eq!((view.tokens, view.requests), (full.tokens, full.requests));
    assert!(next.is_quiet(at(later + 62_000)));
}

#[test]
fn whoever_was_served_last_is_not_first_with_the_next_holder() {
    let mut first = busy(1, None);
    let of = |number, name| {
        let mut one = waiting(number, number, Priority::Normal, 1_000);
        one.tenant = tenant(name);
        one
    };
    first.step(at(0), Event::Arrived(of(0, "a")));
    for number in 1..4 {
        first.step(at(1), Event::Arrived(of(number, "a")));
    }
    first.step(at(1), Event::Arrived(of(9, "b")));
    let mut order = released(&first.step(at(1), super::ended(id(0), 1, 1_000, 1)));
    let (kept, left) = (first.tenants(), first.snapshot(at(2)));
    let kept: TenantsSnapshot = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let mut next = busy(1, None);
    next.take_up_tenants(&kept);
    next.resume(at(3), &left);
    next.take_up(at(3), &[of(2, "a"), of(3, "a"), of(9, "b")], &[]);
    order.extend(released(&next.step(at(4), super::ended(id(1), 1, 1_000, 4))));
    assert_eq!(order, [(id(1), 1), (id(9), 1)], "b has waited, a was served");
}

#[test]
fn a_written_report_says_about_where_a_request_stands() {
    let mut scheduler = busy(1, None);
    for number in 0..40 {
        let one = waiting(number, number * 100, Priority::Batch, 1_000);
        scheduler.step(at(4_000), Event::Arrived(one));
    }
    let now = at(4_000);
    let report = scheduler.report(now);
    let text = serde_json::to_string(&report).unwrap();
    let report: crate::scheduler::LaneReport = serde_json::from_str(&text).unwrap();
    for number in [1, 2, 17, 39] {
        let exact = scheduler.forecast(now, id(number)).unwrap();
        let due = at(number * 100) + Priority::Batch.soft_deadline();
        let told = report.forecast(Priority::Batch, due);
        assert!(
            told.position.abs_diff(exact.position) <= 1,
            "{number}: {told:?} {exact:?}"
        );
    }
    let other = report.forecast(Priority::Normal, now);
    assert_eq!((other.position, other.start), (1, now), "nobody waits there");
}
