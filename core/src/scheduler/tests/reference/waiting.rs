//! How requests wait, and for how long.

use super::super::super::Command;
use super::super::super::lane::CHECK_AFTER;
use super::{Reference, State};
use crate::units::Timestamp;

impl Reference {
    pub(super) fn wait(&mut self, number: u32, not_before: Timestamp) {
        let request = self.request_mut(number);
        request.not_before = not_before;
        request.state = State::Snoozed;
        self.line_up(number);
    }

    pub(super) fn line_up(&mut self, number: u32) {
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

    /// Partial view: of each tenant of a band no more than the window is kept.
    pub(super) fn keep_window(&mut self, tenant: u32) {
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
