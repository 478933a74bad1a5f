//! Who goes now.

use super::super::super::fairness::Turn;
use super::super::super::lane::CHECK_AFTER;
use super::super::super::waiting::never_fits;
use super::super::super::{Command, Waiting};
use super::{Fault, Reference, Request, State};
use crate::breaker::Gate;
use crate::fallback::HopCause;
use crate::ledger::{Demand, Wait};
use crate::request::Priority;
use crate::units::{Millis, Timestamp};
use std::cmp::Reverse;

impl Reference {
    pub(super) fn let_go(&mut self, out: &mut Vec<Command>) {
        self.blocked_until = None;
        self.blocked = None;
        let more_leave = self.send_on_for_today(out);
        while let Some((head, turn)) = self.next() {
            if self.unclaimed() >= self.config.handing.most_unclaimed {
                break;
            }
            if let Gate::Shut(until) = self.breaker.gate(self.now) {
                self.blocked_until = until;
                break;
            }
            if let Some(wait) = self.ledger.shut(self.now) {
                self.blocked_until = wait.until();
                break;
            }
            if self.lacks_budget(head) {
                self.spare(head, out);
                continue;
            }
            match self.reserve(head) {
                Ok(()) => self.release(head, turn, out),
                Err(Wait::Never(never)) => self.give_up(head, never_fits(never), out),
                Err(Wait::Until(at)) => {
                    self.blocked = Some((self.request(head).of.id, at));
                    self.backfill(head, at, out);
                    let looks = self.now + Millis::from_secs(1);
                    let lessens = self.little_waits() && self.ledger.keeps_something(self.now);
                    self.blocked_until = Some(if lessens { at.min(looks) } else { at });
                    break;
                }
                Err(Wait::CallEnds) => break,
            }
            if self.has(Fault::OneAStep) {
                break;
            }
        }
        self.send_on(out);
        if more_leave {
            self.blocked_until = Some(self.now);
        }
    }

    fn lacks_budget(&self, number: u32) -> bool {
        self.request(number).retries && !self.budget.allows(self.now)
    }

    /// A retry without budget goes on in the next lane of its chain, or lets the others pass for a second.
    fn spare(&mut self, number: u32, out: &mut Vec<Command>) {
        if self.request(number).of.has_next_lane {
            self.leave(number, HopCause::RetriesSpent, out);
            return;
        }
        self.leaves_the_line(number, State::Snoozed);
        self.wait(number, self.now + Millis::from_secs(1));
    }

    /// What a request wants of the ledger: where little is in line, less is kept from it.
    fn wants(&self, request: &Request) -> Demand {
        let wanted = Demand::of(request.of.reserve, request.of.priority).with_surplus(request.of.surplus);
        if self.little_waits() && !self.has(Fault::KeptToTheLast) {
            wanted.of_few()
        } else {
            wanted
        }
    }

    fn little_waits(&self) -> bool {
        let in_line = self.requests.iter().filter(|one| one.state == State::InLine);
        let tokens = in_line.map(|one| one.of.expected).sum();
        self.config.window.is_none() && self.ledger.is_little(tokens)
    }

    fn reserve(&mut self, number: u32) -> Result<(), Wait> {
        let request = self.request(number);
        let key = (request.of.id, request.call.next());
        let wanted = self.wants(request);
        let (alone, nobody) = (request.wants_alone, self.ledger.under_way() == 0);
        let admitted = if alone {
            self.ledger.reserve_alone(self.now, key, wanted)
        } else {
            self.ledger.reserve(self.now, key, wanted)
        };
        self.request_mut(number).went_alone = admitted.is_ok() && nobody;
        admitted
    }

    fn release(&mut self, number: u32, turn: Turn, out: &mut Vec<Command>) {
        let within = self.config.handing.start_within;
        let now = self.now;
        let request = self.request_mut(number);
        request.call = request.call.next();
        request.drags = false;
        let within = if request.of.by_caller {
            within.min(Millis::from_secs(20))
        } else {
            within
        };
        let start_by = (now + within).min(request.expires);
        out.push(Command::Release {
            request: request.of.id,
            call: request.call,
            reserve: request.of.reserve,
            start_by,
        });
        let (key, tenant, retries) = (request.key(), request.tenant, request.retries);
        let (expected, name) = (request.of.expected, request.of.tenant.clone());
        self.breaker.released(key);
        if retries {
            self.budget.spend(now);
        } else {
            self.budget.earn();
        }
        self.serve(tenant, expected, turn);
        self.leaves_the_line(number, State::Released);
        self.give_turns_to(&name);
        self.look_at(number, start_by + CHECK_AFTER);
        self.refill(tenant, out);
    }

    /// The head goes at `at`. Of the next eight, those that are smaller go now if that still holds.
    fn backfill(&mut self, head: u32, at: Timestamp, out: &mut Vec<Command>) {
        let promised = self.request(head).of.reserve;
        let wanted = self.wants(self.request(head));
        for number in self.behind(head) {
            let (reserve, tenant) = (self.request(number).of.reserve, self.request(number).tenant);
            let small = self.wants(self.request(number));
            let holds = self.has(Fault::PromiseMoved) || self.ledger.keeps(self.now, at, wanted, small);
            if reserve < promised
                && !self.request(number).wants_alone
                && self.unclaimed() < self.config.handing.most_unclaimed
                && !self.lacks_budget(number)
                && !self.capped(tenant)
                && !matches!(self.breaker.gate(self.now), Gate::Shut(_))
                && self.ledger.admits(self.now, small)
                && holds
                && self.reserve(number).is_ok()
            {
                self.release(number, Turn::Behind, out);
            }
        }
    }

    /// The next eight: of the first eight tenants, bands taking turns, each one's first, then each one's second, and
    /// so on.
    fn behind(&self, head: u32) -> Vec<u32> {
        let bands = self.bands_in_turn().into_iter();
        let in_turn: Vec<Vec<u32>> = bands.map(|band: Priority| self.tenants_in_turn(band)).collect();
        let rounds = 0..8;
        let tenants = rounds.flat_map(|round| in_turn.iter().filter_map(move |tenants| tenants.get(round)));
        let lines: Vec<Vec<u32>> = tenants.take(8).map(|tenant| self.line(*tenant)).collect();
        let depths = 0..=8;
        let all = depths.flat_map(|depth| lines.iter().filter_map(move |line| line.get(depth)));
        all.copied().filter(|number| *number != head).take(8).collect()
    }

    /// Why the lane calls nobody now.
    fn calls_nobody(&mut self) -> Option<HopCause> {
        if matches!(self.breaker.gate(self.now), Gate::Shut(_)) {
            Some(HopCause::BreakerOpen)
        } else if self.ledger.day_parked_until(self.now).is_some() {
            Some(HopCause::Parked)
        } else {
            None
        }
    }

    /// Whether one that came now would be sent on at once.
    pub(super) fn would_leave(&mut self, now: Timestamp, one: &Waiting) -> bool {
        self.now = self.now.max(now);
        let left = self.ledger.left_of_day(self.now);
        one.may_leave && (self.calls_nobody().is_some() || left.is_some_and(|left| one.reserve > left))
    }

    /// Where the lane calls nobody, those whose chain goes on leave, 256 a step.
    fn send_on(&mut self, out: &mut Vec<Command>) {
        let Some(cause) = self.calls_nobody() else { return };
        if self.all_leave(|_| true, cause, out) {
            self.blocked_until = Some(self.now);
        }
    }

    /// Whatever the calls under way turn out to cost, these do not go today: they leave before anybody goes.
    fn send_on_for_today(&mut self, out: &mut Vec<Command>) -> bool {
        let Some(left) = self.ledger.left_of_day(self.now) else {
            return false;
        };
        self.all_leave(|one| one.reserve > left, HopCause::Parked, out)
    }

    /// Of those whose chain goes on these leave, the largest first, 256 a step. True where there may be more.
    fn all_leave(
        &mut self,
        which: impl Fn(&Waiting) -> bool,
        cause: HopCause,
        out: &mut Vec<Command>,
    ) -> bool {
        let may_leave = self
            .requests
            .iter()
            .filter(|request| request.waits() && request.of.may_leave && which(&request.of));
        let mut leavers: Vec<_> = may_leave
            .map(|request| (Reverse(request.of.reserve), request.number))
            .collect();
        leavers.sort_unstable();
        for (_, number) in leavers.iter().take(256) {
            self.leave(*number, cause, out);
        }
        leavers.len() >= 256
    }

    fn leave(&mut self, number: u32, cause: HopCause, out: &mut Vec<Command>) {
        let (request, tenant) = (self.request(number).of.id, self.request(number).tenant);
        out.push(Command::Leave { request, cause });
        self.forget(number);
        self.refill(tenant, out);
    }
}
