//! What each event changes.

use super::super::super::lane::WRITE_OFF_AFTER;
use super::super::super::waiting::never_fits;
use super::super::super::{Command, Event, Gone, Waiting};
use super::{Reference, Request, State};
use crate::fallback::HopCause;
use crate::ids::CallNo;
use crate::request::Failure;
use crate::units::Timestamp;

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
                last_call,
                reserve,
                expected,
                surplus,
            } => {
                if let Some(number) = self.find(request)
                    && matches!(self.request(number).state, State::InLine | State::Snoozed)
                    && self.request(number).call == last_call
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

    pub(super) fn give_up(&mut self, number: u32, failure: Failure, out: &mut Vec<Command>) {
        let tenant = self.request(number).tenant;
        out.push(cannot_pass(&self.request(number).of, failure));
        self.forget(number);
        self.refill(tenant, out);
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
