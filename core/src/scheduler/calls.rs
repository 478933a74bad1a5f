//! What becomes of a released request: its call starts, ends, is refused, or is never heard of.

use super::entry::Standing;
use super::lane::{Scheduler, WRITE_OFF_AFTER};
use super::{Again, Command};
use crate::breaker::CallHealth;
use crate::fallback::HopCause;
use crate::ledger::CallKey;
use crate::request::Failure;
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};

/// A request larger than the burst fails when it was refused so often with nothing beside it.
const REFUSED_ALONE: u8 = 3;

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) charged: Tokens,
    pub(super) throttle: Option<ThrottleCause>,
    pub(super) again: Again,
    pub(super) health: CallHealth,
}

impl Scheduler {
    /// The slot of a request whose current call is this one.
    fn current(&self, key: CallKey) -> Option<u32> {
        let slot = self.table.find_stray(key).or_else(|| self.table.find(key.0))?;
        let entry = self.table.get(slot)?;
        (entry.call == key.1 && !entry.waits()).then_some(slot)
    }

    pub(super) fn started(&mut self, key: CallKey, at: Timestamp) {
        self.ledger.started(self.now, key, at);
        let Some(slot) = self.current(key) else { return };
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        if entry.standing == Standing::Released {
            entry.standing = Standing::Running;
            entry.foretold = Timestamp::NEVER;
            // It has started: should it wait again, only a deadline can end it.
            entry.expires = if entry.has_deadline {
                entry.due
            } else {
                Timestamp::NEVER
            };
            self.released = self.released.saturating_sub(1);
            self.watch(slot, at.min(self.now));
        }
    }

    pub(super) fn ended(&mut self, key: CallKey, end: End, out: &mut Vec<Command>) {
        let End {
            charged,
            throttle,
            again,
            health,
        } = end;
        let counts = self.ledger.is_open(key);
        let current = self.current(key);
        let entry = current.and_then(|slot| self.table.get(slot));
        let drags = entry.is_some_and(|entry| entry.drags);
        let started = self.ledger.started_at(key).unwrap_or(self.now);
        // One whose start and end were heard of together tells nothing.
        let lasted = self.now.since(started);
        if counts && matches!(health, CallHealth::Fine | CallHealth::Slow) && lasted > Millis::ZERO {
            self.span.heard(lasted);
        }
        match throttle {
            Some(cause) => {
                self.throttles[cause as usize] += u64::from(counts);
                // Refused inside an accepted stream, it has cost something all the same. And what an upstream
                // that is not well refuses says nothing about how much it takes: that is the breaker's matter.
                if charged > Tokens::ZERO || health == CallHealth::Failed {
                    self.ledger.settle(self.now, key, charged);
                } else {
                    self.ledger.refused(self.now, key, cause);
                }
            }
            None => self.ledger.settle(self.now, key, charged),
        }
        if counts {
            self.budget.heard(health);
            // One that took too long was counted when it did.
            if !drags {
                self.breaker.ended(self.now, key, started, health);
            }
        }
        let stray = self.table.find_stray(key).is_some();
        if again != Again::No && (stray || self.table.find(key.0).is_none()) {
            // It waits again, and nobody here has it in line: as after a change of holders.
            out.push(check(key));
        }
        let Some(slot) = current else { return };
        if let Some(entry) = self.table.get(slot)
            && counts
            && throttle.is_none()
            && matches!(health, CallHealth::Fine | CallHealth::Slow)
        {
            self.spend.heard(entry.expected(), charged);
        }
        self.charge_share(slot, charged);
        let flow = self.table.get(slot).map(|entry| entry.flow);
        let too_large = throttle == Some(ThrottleCause::Tokens) && !stray && self.too_large_alone(slot);
        if too_large && again != Again::No {
            let failure = self.above_the_burst(slot);
            self.give_up(slot, HopCause::TooLarge, failure, out);
            return;
        }
        match again {
            // It spends no try, but to an upstream in trouble it is one call more, like any retry.
            Again::NotBefore(at) if !stray => self.come_back(slot, at, health == CallHealth::Failed),
            Again::Retry(at) if !stray => self.come_back(slot, at, true),
            Again::Resized {
                reserve,
                expected,
                surplus,
            } if !stray => {
                if let Some(entry) = self.table.get_mut(slot) {
                    entry.set_cost((reserve, expected, surplus));
                }
                self.come_back(slot, Timestamp::EPOCH, health == CallHealth::Failed);
            }
            _ => self.forget(slot),
        }
        if let Some(flow) = flow {
            self.refill(flow, out);
        }
    }

    /// Has the row of a release looked at in this very step: its alarm goes off now. A release that is not known was
    /// a former holder's, recorded so late that it was given up; nobody else will look at it.
    pub(super) fn unclaimed(&mut self, key: CallKey, out: &mut Vec<Command>) {
        match self.released_as(key) {
            Some(slot) => self.set_alarm(slot, self.now),
            None if self.table.find(key.0).is_none() && !self.ledger.is_open(key) => out.push(check(key)),
            None => {}
        }
    }

    pub(super) fn lapsed(&mut self, key: CallKey) {
        let Some(slot) = self.released_as(key) else { return };
        self.take_back(slot);
        if self.table.find_stray(key).is_some() {
            // Its request is told of by itself.
            self.forget(slot);
        } else {
            let retries = self.table.get(slot).is_some_and(|entry| entry.retries);
            self.come_back(slot, Timestamp::EPOCH, retries);
        }
    }

    pub(super) fn void(&mut self, key: CallKey, out: &mut Vec<Command>) {
        let Some(slot) = self.released_as(key) else { return };
        let flow = self.table.get(slot).map(|entry| entry.flow);
        self.take_back(slot);
        self.forget(slot);
        if let Some(flow) = flow {
            self.refill(flow, out);
        }
    }

    /// The slot of a request that was let go as this call and not heard of since.
    fn released_as(&self, key: CallKey) -> Option<u32> {
        let slot = self.current(key)?;
        let entry = self.table.get(slot)?;
        (entry.standing == Standing::Released).then_some(slot)
    }

    /// Frees the reservation of a release that was never claimed.
    pub(super) fn take_back(&mut self, slot: u32) {
        let Some(key) = self.table.get(slot).map(super::entry::Entry::key) else {
            return;
        };
        self.ledger.release(self.now, key);
        self.breaker.void(key);
        self.charge_share(slot, Tokens::ZERO);
    }

    /// Has a call that began then looked at when it is slow, and when it must be over.
    fn watch(&mut self, slot: u32, started: Timestamp) {
        let slow = started + self.config.lane.breaker.slow_call + Millis::new(1);
        self.set_alarm(slot, slow.min(self.write_off_at(started)));
    }

    /// A call that runs for long. As soon as it is slow the breaker hears of it: of an upstream that hangs it would
    /// otherwise know nothing before its calls are given up.
    pub(super) fn overdue(&mut self, slot: u32, out: &mut Vec<Command>) {
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        let key = entry.key();
        let started = self.ledger.started_at(key).unwrap_or(self.now);
        let told = std::mem::replace(&mut entry.drags, true);
        if !told && self.ledger.is_open(key) {
            self.breaker.ended(self.now, key, started, CallHealth::Slow);
        }
        let over = self.write_off_at(started);
        if self.ledger.is_open(key) && self.now < over {
            self.set_alarm(slot, over);
        } else {
            self.write_off(slot, out);
        }
    }

    /// A call whose end was never told, long after it must have come, so that a lost message or a lost worker does not
    /// hold its place among the calls under way for ever. What becomes of its request is for the row to say. Until that
    /// is answered the call stays under way, in the ledger too: the next holder would not know of it otherwise.
    fn write_off(&mut self, slot: u32, out: &mut Vec<Command>) {
        let Some(entry) = self.table.get(slot) else { return };
        let (key, reserve) = (entry.key(), entry.reserve);
        self.breaker.void(key);
        let (request, call) = key;
        out.push(Command::Lose {
            request,
            call,
            reserve,
        });
        self.set_alarm(slot, self.now + WRITE_OFF_AFTER);
    }

    /// Corrects what the request's tenant and band were charged when it went.
    fn charge_share(&mut self, slot: u32, actual: Tokens) {
        let Some(entry) = self.table.get(slot) else { return };
        let (flow, expected, released) = (entry.flow, entry.expected(), entry.standing == Standing::Released);
        self.released = self.released.saturating_sub(u64::from(released));
        self.shares.correct(flow, expected, actual);
    }

    /// The request waits again, before its tenant's others.
    fn come_back(&mut self, slot: u32, not_before: Timestamp, retries: bool) {
        if let Some(entry) = self.table.get_mut(slot) {
            entry.returned = true;
            entry.retries = retries;
            let flow = entry.flow;
            self.shares.ends(flow);
        }
        self.wait(slot, not_before);
    }

    /// Counts a refusal of a request larger than the burst; true when it is one too many.
    fn too_large_alone(&mut self, slot: u32) -> bool {
        let burst = self.ledger.burst();
        let Some(entry) = self.table.get_mut(slot) else {
            return false;
        };
        if entry.reserve <= burst {
            return false;
        }
        entry.wants_alone = true;
        entry.refused_alone += u8::from(entry.went_alone);
        entry.refused_alone >= REFUSED_ALONE
    }

    fn above_the_burst(&self, slot: u32) -> Failure {
        let needs = self.table.get(slot).map_or(Tokens::ZERO, |entry| entry.reserve);
        Failure {
            kind: Some(crate::model::ModelErrorKind::Throttled(ThrottleCause::Tokens)),
            status: 400,
            exception: "ValidationException".to_owned(),
            message: format!(
                "This request needs {needs} at once and was refused {REFUSED_ALONE} times with nothing else \
                 under way: the quota of lane {} admits bursts of about {}. Ask for fewer output tokens \
                 (max_tokens) or a shorter input.",
                self.config.lane.id,
                self.ledger.burst(),
            ),
            headers: Vec::new(),
        }
    }
}

fn check(key: CallKey) -> Command {
    let (request, call) = key;
    Command::Check { request, call }
}
