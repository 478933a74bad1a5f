//! What each event changes.

use super::super::super::lane::{CHECK_AFTER, WRITE_OFF_AFTER};
use super::super::super::waiting::never_fits;
use super::super::super::{Again, Command, Event, Gone, Waiting};
use super::{Reference, Request, State};
use crate::breaker::CallHealth;
use crate::fallback::HopCause;
use crate::ids::CallNo;
use crate::ledger::CallKey;
use crate::request::Failure;
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};

impl Reference {
    pub(crate) fn step(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        self.take_in(event, &mut out);
        self.look(&mut out);
        self.let_go(&mut out);
        out.extend(self.wake());
        out
    }

    fn take_in(&mut self, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Arrived(waiting) => self.arrived(&waiting, out),
            Event::Left { request, why } => {
                self.has_come(request);
                if let Some(number) = self.find(request) {
                    self.left(number, why, out);
                }
            }
            Event::Resized {
                request,
                reserve,
                expected,
                surplus,
            } => {
                if let Some(number) = self.find(request)
                    && matches!(self.request(number).state, State::InLine | State::Snoozed)
                {
                    let request = self.request_mut(number);
                    (request.of.reserve, request.of.expected) = (reserve, expected);
                    request.of.surplus = surplus;
                }
            }
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
                self.ended((request, call), charged, throttle, again, health, out);
            }
            Event::Unclaimed { request, call } => match self.released_as((request, call)) {
                Some(number) => self.look_at(number, self.now),
                None if self.find(request).is_none() && !self.ledger.is_open((request, call)) => {
                    out.push(Command::Check { request, call });
                }
                None => {}
            },
            Event::Lapsed { request, call } => {
                let Some(number) = self.released_as((request, call)) else {
                    return;
                };
                self.take_back(number);
                if self.request(number).is_elsewhere {
                    self.forget(number);
                } else {
                    let retries = self.request(number).retries;
                    self.comes_back(number, Timestamp::EPOCH, retries);
                }
            }
            Event::Void { request, call } => {
                let Some(number) = self.released_as((request, call)) else {
                    return;
                };
                let tenant = self.request(number).tenant;
                self.take_back(number);
                self.forget(number);
                self.refill(tenant, out);
            }
            Event::Refilled {
                priority,
                tenant,
                more,
            } => {
                let number = self.tenant_of(&tenant, priority);
                let it = self.tenant_mut(number);
                (it.asked, it.more) = (false, more || it.missed);
                it.missed = false;
                self.tidy(priority.index());
                self.refill(number, out);
            }
            Event::Breaker(hand) => self.breaker.set_by_hand(self.now, hand),
            Event::Tick => {}
        }
    }

    fn arrived(&mut self, waiting: &Waiting, out: &mut Vec<Command>) {
        self.has_come(waiting.id);
        self.outdated_by(waiting);
        if self.find(waiting.id).is_some() {
            return;
        }
        if let Err(never) = self.ledger.fits(waiting.reserve) {
            out.push(cannot_pass(waiting, never_fits(never)));
            return;
        }
        // A call of it that goes on keeps its number.
        let mut call = waiting.last_call;
        while let Some(number) = self.find_elsewhere((waiting.id, call.next())) {
            if self.request(number).state == State::Released {
                return;
            }
            call = call.next();
        }
        let tenant = self.tenant_of(&waiting.tenant, waiting.priority);
        let number = self.request_numbers.take();
        let end = waiting.deadline.unwrap_or(Timestamp::NEVER);
        self.requests.push(Request {
            number,
            of: waiting.clone(),
            tenant,
            state: State::Snoozed,
            is_elsewhere: false,
            call,
            returned: waiting.last_call > CallNo::NONE,
            retries: waiting.retries,
            wants_alone: false,
            went_alone: false,
            refused_alone: 0,
            drags: false,
            urgent: false,
            not_before: Timestamp::EPOCH,
            expires: end.min(waiting.latest_start.unwrap_or(Timestamp::NEVER)),
            look_at: Timestamp::NEVER,
        });
        self.wait(number, waiting.not_before.unwrap_or(Timestamp::EPOCH));
        self.keep_window(tenant);
    }

    /// A row that waits again by the number of the call it is known by here: that call is over.
    fn outdated_by(&mut self, waiting: &Waiting) {
        let Some(number) = self.find(waiting.id) else {
            return;
        };
        let known = self.request(number);
        if known.waits() || waiting.last_call < known.call {
            return;
        }
        if known.state == State::Released {
            let until = self.now + self.config.lane.call_timeout + WRITE_OFF_AFTER;
            self.request_mut(number).state = State::Running;
            self.look_at(number, until);
        }
        self.go_elsewhere(number);
    }

    /// Its request is no longer here; a call that is not over stays.
    fn go_elsewhere(&mut self, number: u32) {
        if self.ledger.is_open(self.request(number).key()) {
            self.request_mut(number).is_elsewhere = true;
        } else {
            self.forget(number);
        }
    }

    fn left(&mut self, number: u32, why: Gone, out: &mut Vec<Command>) {
        let tenant = self.request(number).tenant;
        match self.request(number).state {
            State::InLine | State::Snoozed => self.forget(number),
            // That its row is elsewhere may have been read before it was let go.
            State::Released if why == Gone::Elsewhere => {}
            // It may have been claimed before it was called off: the row is looked at.
            State::Released => self.look_at(number, self.now),
            State::Running => self.go_elsewhere(number),
        }
        self.refill(tenant, out);
    }

    /// The request whose call this is, if it is under way.
    fn current(&self, key: CallKey) -> Option<u32> {
        let number = self.find_elsewhere(key).or_else(|| self.find(key.0))?;
        let request = self.request(number);
        (request.call == key.1 && !request.waits()).then_some(number)
    }

    fn released_as(&self, key: CallKey) -> Option<u32> {
        let number = self.current(key)?;
        (self.request(number).state == State::Released).then_some(number)
    }

    fn started(&mut self, key: CallKey, at: Timestamp) {
        self.ledger.started(self.now, key, at);
        let Some(number) = self.released_as(key) else {
            return;
        };
        let began = at.min(self.now);
        let (slow, over) = (began + self.config.lane.breaker.slow_call, self.over_at(began));
        let request = self.request_mut(number);
        request.state = State::Running;
        request.expires = request.of.deadline.unwrap_or(Timestamp::NEVER);
        request.look_at = (slow + Millis::new(1)).min(over);
    }

    fn over_at(&self, began: Timestamp) -> Timestamp {
        began + self.config.lane.call_timeout + WRITE_OFF_AFTER
    }

    fn ended(
        &mut self,
        key: CallKey,
        charged: Tokens,
        throttle: Option<ThrottleCause>,
        again: Again,
        health: CallHealth,
        out: &mut Vec<Command>,
    ) {
        let open = self.ledger.is_open(key);
        let current = self.current(key);
        let began = self.ledger.started_at(key).unwrap_or(self.now);
        let lasted = self.now.since(began);
        if open && matches!(health, CallHealth::Fine | CallHealth::Slow) && lasted > Millis::ZERO {
            self.span.heard(lasted);
        }
        match throttle {
            Some(cause) if charged == Tokens::ZERO && health != CallHealth::Failed => {
                self.ledger.refused(self.now, key, cause);
            }
            _ => self.ledger.settle(self.now, key, charged),
        }
        if open {
            self.budget.heard(health);
            if !current.is_some_and(|number| self.request(number).drags) {
                self.breaker.ended(self.now, key, began, health);
            }
        }
        let elsewhere = self.find_elsewhere(key).is_some();
        if again != Again::No && (elsewhere || self.find(key.0).is_none()) {
            let (request, call) = key;
            out.push(Command::Check { request, call });
        }
        let Some(number) = current else { return };
        let (tenant, expected) = (self.request(number).tenant, self.request(number).of.expected);
        self.correct(tenant, expected, charged);
        let too_large = throttle == Some(ThrottleCause::Tokens) && !elsewhere && self.too_large_alone(number);
        if too_large && again != Again::No {
            let failure = self.above_the_burst(number);
            self.give_up(number, failure, out);
            return;
        }
        match again {
            Again::NotBefore(at) if !elsewhere => self.comes_back(number, at, health == CallHealth::Failed),
            Again::Retry(at) if !elsewhere => self.comes_back(number, at, true),
            Again::Resized {
                reserve,
                expected,
                surplus,
            } if !elsewhere => {
                let request = self.request_mut(number);
                (request.of.reserve, request.of.expected) = (reserve, expected);
                request.of.surplus = surplus;
                self.comes_back(number, Timestamp::EPOCH, health == CallHealth::Failed);
            }
            _ => self.forget(number),
        }
        self.refill(tenant, out);
    }

    fn too_large_alone(&mut self, number: u32) -> bool {
        let burst = self.ledger.burst();
        let request = self.request_mut(number);
        if request.of.reserve <= burst {
            return false;
        }
        request.wants_alone = true;
        request.refused_alone += u8::from(request.went_alone);
        request.refused_alone >= 3
    }

    fn above_the_burst(&self, number: u32) -> Failure {
        let (needs, burst) = (self.request(number).of.reserve, self.ledger.burst());
        Failure {
            kind: Some(crate::model::ModelErrorKind::Throttled(ThrottleCause::Tokens)),
            status: 400,
            exception: "ValidationException".to_owned(),
            message: format!(
                "This request needs {needs} at once and was refused 3 times with nothing else under way: the quota \
                 of lane {} admits bursts of about {burst}. Ask for fewer output tokens (max_tokens) or a shorter \
                 input.",
                self.config.lane.id,
            ),
            headers: Vec::new(),
        }
    }

    pub(super) fn give_up(&mut self, number: u32, failure: Failure, out: &mut Vec<Command>) {
        let tenant = self.request(number).tenant;
        out.push(cannot_pass(&self.request(number).of, failure));
        self.forget(number);
        self.refill(tenant, out);
    }

    fn take_back(&mut self, number: u32) {
        let (key, tenant) = (self.request(number).key(), self.request(number).tenant);
        let expected = self.request(number).of.expected;
        self.ledger.release(self.now, key);
        self.breaker.void(key);
        self.correct(tenant, expected, Tokens::ZERO);
    }

    fn comes_back(&mut self, number: u32, not_before: Timestamp, retries: bool) {
        let request = self.request_mut(number);
        request.returned = true;
        request.retries = retries;
        let name = request.of.tenant.clone();
        // Its call is over before it waits again.
        request.state = State::Snoozed;
        self.give_turns_to(&name);
        self.wait(number, not_before);
    }

    pub(super) fn wait(&mut self, number: u32, not_before: Timestamp) {
        let request = self.request_mut(number);
        request.not_before = not_before;
        request.state = State::Snoozed;
        self.line_up(number);
    }

    fn line_up(&mut self, number: u32) {
        let now = self.now;
        let request = self.request_mut(number);
        if request.not_before > now {
            request.look_at = request.not_before.min(request.expires);
            return;
        }
        request.state = State::InLine;
        request.look_at = request.expires;
        let (tenant, expires) = (request.tenant, request.expires);
        self.give_turns(tenant);
        if expires != Timestamp::NEVER {
            self.watch_slack(number);
        }
    }

    /// It leaves the line, and becomes this.
    pub(super) fn leaves_the_line(&mut self, number: u32, becomes: State) {
        let request = self.request_mut(number);
        let (was, tenant) = (request.state, request.tenant);
        request.state = becomes;
        request.urgent = false;
        if was == State::InLine {
            self.give_turns(tenant);
        }
    }

    pub(super) fn forget(&mut self, number: u32) {
        if self.request(number).state == State::InLine {
            self.leaves_the_line(number, State::Snoozed);
        }
        let of = self.request(number).of.clone();
        self.requests.retain(|request| request.number != number);
        self.request_numbers.free.push(number);
        self.give_turns_to(&of.tenant);
        self.tidy(of.priority.index());
    }

    /// Looks at those whose time has come: snoozes end, deadlines pass, releases and calls were not heard of.
    pub(super) fn look(&mut self, out: &mut Vec<Command>) {
        loop {
            let first = self
                .requests
                .iter()
                .min_by_key(|request| (request.look_at, request.number));
            let Some(first) = first.filter(|first| first.look_at <= self.now) else {
                return;
            };
            let (number, tenant, state, (request, call)) =
                (first.number, first.tenant, first.state, first.key());
            match state {
                State::InLine | State::Snoozed if first.expires <= self.now => {
                    out.push(Command::Expire { request });
                    self.forget(number);
                    self.refill(tenant, out);
                }
                State::InLine => self.watch_slack(number),
                State::Snoozed => self.line_up(number),
                State::Released => {
                    out.push(Command::Check { request, call });
                    self.look_at(number, self.now + CHECK_AFTER);
                }
                State::Running => self.overdue(number, out),
            }
        }
    }

    /// A call that runs for long: the breaker hears of it once; long after it must be over it is asked for.
    fn overdue(&mut self, number: u32, out: &mut Vec<Command>) {
        let (key, reserve) = (self.request(number).key(), self.request(number).of.reserve);
        let began = self.ledger.started_at(key).unwrap_or(self.now);
        let open = self.ledger.is_open(key);
        if open && !self.request(number).drags {
            self.breaker.ended(self.now, key, began, CallHealth::Slow);
        }
        self.request_mut(number).drags = true;
        if open && self.now < self.over_at(began) {
            self.look_at(number, self.over_at(began));
            return;
        }
        self.breaker.void(key);
        let (request, call) = key;
        out.push(Command::Lose {
            request,
            call,
            reserve,
        });
        self.look_at(number, self.now + WRITE_OFF_AFTER);
    }

    /// Partial view: of each tenant of a band no more than the window is kept.
    fn keep_window(&mut self, tenant: u32) {
        let Some(window) = self.config.window else { return };
        let line = self.line(tenant);
        if line.len() > window.max(1) {
            let it = self.tenant_mut(tenant);
            it.more = true;
            it.missed |= it.asked;
            self.forget(line[line.len() - 1]);
        }
    }

    /// Partial view: more are asked for when less than half a window is left.
    pub(super) fn refill(&mut self, tenant: u32, out: &mut Vec<Command>) {
        let Some(window) = self.config.window else { return };
        let line = self.line(tenant).len();
        let Some(tenant) = self.tenants.iter_mut().find(|known| known.number == tenant) else {
            return;
        };
        if tenant.more && !tenant.asked && line * 2 < window.max(1) {
            tenant.asked = true;
            let (priority, tenant) = (tenant.band, tenant.name.clone());
            out.push(Command::Refill { priority, tenant });
        }
    }
}

fn cannot_pass(waiting: &Waiting, failure: Failure) -> Command {
    let request = waiting.id;
    if waiting.may_leave {
        return Command::Leave {
            request,
            cause: HopCause::TooLarge,
        };
    }
    Command::Fail { request, failure }
}
