//! The scheduler of one lane: its state, and what it does with each event.

use super::ages::Ages;
use super::bounds::{Held, Load};
use super::budget::RetryBudget;
use super::calls::End;
use super::entry::{Entry, Table};
use super::fairness::Shares;
use super::line::Line;
use super::release::Leaver;
use super::span::CallSpan;
use super::spend::Spend;
use super::{Command, Event, SchedulerConfig, Waiting};
use crate::breaker::Breaker;
use crate::call::Call;
use crate::ids::{CallNo, RequestId};
use crate::ledger::{Ledger, Margins};
use crate::ports::{DayCount, LaneMemory};
use crate::units::{Millis, Timestamp};
use std::collections::BTreeSet;

/// How long after a release is void its row is read, and read again until there is an answer.
pub(super) const CHECK_AFTER: Millis = Millis::from_secs(5);
/// How long after the longest possible call one whose end was never told is written off, and asked for anew.
pub(super) const WRITE_OFF_AFTER: Millis = Millis::from_secs(60);

/// Decides who goes next in one lane.
///
/// A state machine: an [`Event`] and the time go in, [`Command`]s come out, in the order in which they are to
/// be done. The same events at the same times give the same commands. A decision takes O(log n) of what waits.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) config: SchedulerConfig,
    pub(super) ledger: Ledger,
    pub(super) table: Table,
    pub(super) shares: Shares,
    /// When to look at which slot, whatever happens.
    pub(super) alarms: BTreeSet<(Timestamp, u32)>,
    pub(super) ages: [Ages; 3],
    /// What waits in each band, in line or snoozed.
    pub(super) counts: [Load; 3],
    /// What waits in each band and has a limit on its own time, by when that passes.
    pub(super) limited: [Line; 3],
    /// Those who were let in at the door and have not arrived.
    pub(super) held: Vec<Held>,
    pub(super) released: u64,
    pub(super) throttles: [u64; 4],
    pub(super) span: CallSpan,
    pub(super) spend: Spend,
    pub(super) breaker: Breaker,
    pub(super) budget: RetryBudget,
    /// Requests in line whose time is nearly up, the least time first.
    pub(super) urgent: BTreeSet<(Timestamp, RequestId, u32)>,
    /// Waiting requests whose chain goes on, the largest first.
    pub(super) leavers: BTreeSet<Leaver>,
    /// Requests that went on in their chain without a call.
    pub(super) left: u64,
    /// Requests that made room for those of a higher band.
    pub(super) shed: u64,
    /// Retries that were put off for want of budget.
    pub(super) put_off: u64,
    /// The head of the queue is refused until then.
    pub(super) blocked_until: Option<Timestamp>,
    /// Slots to be tried before their turn; kept to spare an allocation a step.
    pub(super) candidates: Vec<u32>,
    pub(super) now: Timestamp,
}

impl Scheduler {
    /// A scheduler with nothing waiting and an unused quota.
    pub fn new(config: SchedulerConfig, now: Timestamp) -> Self {
        Self {
            ledger: Ledger::new(&config.lane, Margins::default(), now),
            table: Table::default(),
            shares: Shares::new(&config.priorities),
            alarms: BTreeSet::new(),
            ages: Default::default(),
            counts: Default::default(),
            limited: Default::default(),
            held: Vec::new(),
            released: 0,
            throttles: [0; 4],
            span: CallSpan::new(config.handing.first_span),
            spend: Spend::default(),
            breaker: Breaker::new(config.lane.breaker),
            budget: RetryBudget::new(now),
            urgent: BTreeSet::new(),
            leavers: BTreeSet::new(),
            left: 0,
            shed: 0,
            put_off: 0,
            blocked_until: None,
            candidates: Vec::new(),
            now,
            config,
        }
    }

    /// Takes up where an earlier process stopped: what waits, the calls of the last 65 s and those that are
    /// not over, and the day's counter as last stored. Nothing goes yet; follow it with [`Event::Tick`].
    pub fn restore(&mut self, now: Timestamp, waiting: Vec<Waiting>, calls: &[Call], day: Option<DayCount>) {
        self.now = self.now.max(now);
        self.ledger.restore(self.now, calls, day);
        for call in calls.iter().filter(|call| call.settlement.is_none()) {
            let key = (call.request, call.number);
            if self.table.find_stray(key).is_none() {
                let slot = self.table.insert_stray(Entry::stray(key, call.reserved));
                self.set_alarm(slot, self.write_off_at(call.charged_at));
            }
        }
        for waiting in waiting {
            self.take_in(&waiting);
        }
    }

    /// [`Scheduler::step_into`] with a vector of its own.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        self.step_into(now, event, &mut commands);
        commands
    }

    /// Takes in one event and appends what is to be done now.
    ///
    /// Ends with [`Command::WakeAt`] whenever there is a moment to wake at, changed or not.
    pub fn step_into(&mut self, now: Timestamp, event: Event, out: &mut Vec<Command>) {
        self.now = self.now.max(now);
        let mut came = None;
        match event {
            Event::Arrived(waiting) => {
                came = Some(waiting.id).filter(|_| waiting.last_call == CallNo::NONE);
                self.arrived(&waiting, out);
            }
            Event::Left { request, why } => self.left(request, why, out),
            Event::Resized {
                request,
                last_call,
                reserve,
                expected,
                surplus,
            } => self.resized(request, last_call, (reserve, expected, surplus)),
            Event::Started { request, call, at } => self.started((request, call), at),
            Event::Ended {
                request,
                call,
                charged,
                throttle,
                again,
                health,
                ..
            } => {
                let end = End {
                    charged,
                    throttle,
                    again,
                    health,
                };
                self.ended((request, call), end, out);
            }
            Event::Unclaimed { request, call } => self.unclaimed((request, call), out),
            Event::Lapsed { request, call } => self.lapsed((request, call)),
            Event::Void { request, call } => self.void((request, call), out),
            Event::Refilled {
                priority,
                tenant,
                more,
            } => self.refilled(priority, &tenant, more, out),
            Event::Breaker(hand) => self.breaker.set_by_hand(self.now, hand),
            Event::Tick => {}
        }
        self.ring(out);
        self.let_go(out);
        if let Some(id) = came {
            self.foretell(id);
        }
        self.ask_to_be_woken(out);
    }

    /// Takes new settings; charges, running calls and waiting requests stay, and so does how releases are handed out.
    pub fn reconfigure(&mut self, now: Timestamp, config: SchedulerConfig) {
        self.now = self.now.max(now);
        self.ledger.reconfigure(&config.lane, self.now);
        self.breaker.reconfigure(config.lane.breaker);
        self.shares.set_weights(&config.priorities);
        self.shares.set_terms(|tenant| config.terms(tenant));
        self.config = SchedulerConfig {
            handing: self.config.handing,
            ..config
        };
    }

    /// Tokens charged today (UTC) to calls that are over, for keeping.
    pub fn day_count(&self) -> DayCount {
        self.ledger.day_count()
    }

    /// What the lane has learned, for keeping.
    pub fn memory(&self) -> LaneMemory {
        LaneMemory {
            breaker: self.breaker.memory(),
            pacing: self.ledger.memory(),
        }
    }

    /// Takes up what an earlier process learned.
    pub fn remember(&mut self, now: Timestamp, memory: &LaneMemory) {
        self.breaker.restore(now, &memory.breaker);
        self.ledger.remember(now, &memory.pacing);
    }

    /// Whether the scheduler knows this request as waiting, released or running.
    pub fn knows(&self, id: RequestId) -> bool {
        self.table.find(id).is_some()
    }

    pub(super) fn write_off_at(&self, started: Timestamp) -> Timestamp {
        started + self.config.lane.call_timeout + WRITE_OFF_AFTER
    }

    pub(super) fn set_alarm(&mut self, slot: u32, at: Timestamp) {
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        if entry.alarm == at {
            return;
        }
        if entry.alarm != Timestamp::NEVER {
            self.alarms.remove(&(entry.alarm, slot));
        }
        entry.alarm = at;
        if at != Timestamp::NEVER {
            self.alarms.insert((at, slot));
        }
    }

    /// Asked for at the end of every step in which there is something to wait for, so that a driver that
    /// drops its alarm at another event loses nothing.
    fn ask_to_be_woken(&self, out: &mut Vec<Command>) {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let next = match (alarm, self.blocked_until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(at) = next.filter(|at| *at != Timestamp::NEVER) {
            out.push(Command::WakeAt(at.max(self.now + Millis::new(1))));
        }
    }
}
