//! What becomes of a call.

use super::super::super::lane::WRITE_OFF_AFTER;
use super::super::super::{Again, Command};
use super::{Reference, State};
use crate::breaker::CallHealth;
use crate::ledger::CallKey;
use crate::request::Failure;
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};

impl Reference {
    /// The request whose call this is, if it is under way.
    pub(super) fn current(&self, key: CallKey) -> Option<u32> {
        let number = self.find_elsewhere(key).or_else(|| self.find(key.0))?;
        let request = self.request(number);
        (request.call == key.1 && !request.waits()).then_some(number)
    }

    pub(super) fn released_as(&self, key: CallKey) -> Option<u32> {
        let number = self.current(key)?;
        (self.request(number).state == State::Released).then_some(number)
    }

    pub(super) fn started(&mut self, key: CallKey, at: Timestamp) {
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

    pub(super) fn over_at(&self, began: Timestamp) -> Timestamp {
        began + self.config.lane.call_timeout + WRITE_OFF_AFTER
    }

    pub(super) fn ended(
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

    pub(super) fn too_large_alone(&mut self, number: u32) -> bool {
        let burst = self.ledger.burst();
        let request = self.request_mut(number);
        if request.of.reserve <= burst {
            return false;
        }
        request.wants_alone = true;
        request.refused_alone += u8::from(request.went_alone);
        request.refused_alone >= 3
    }

    pub(super) fn above_the_burst(&self, number: u32) -> Failure {
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

    pub(super) fn take_back(&mut self, number: u32) {
        let (key, tenant) = (self.request(number).key(), self.request(number).tenant);
        let expected = self.request(number).of.expected;
        self.ledger.release(self.now, key);
        self.breaker.void(key);
        self.correct(tenant, expected, Tokens::ZERO);
    }

    pub(super) fn comes_back(&mut self, number: u32, not_before: Timestamp, retries: bool) {
        let request = self.request_mut(number);
        request.returned = true;
        request.retries = retries;
        let name = request.of.tenant.clone();
        // Its call is over before it waits again.
        request.state = State::Snoozed;
        self.give_turns_to(&name);
        self.wait(number, not_before);
    }

    /// A call that runs for long: the breaker hears of it once; long after it must be over it is asked for.
    pub(super) fn overdue(&mut self, number: u32, out: &mut Vec<Command>) {
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
}
