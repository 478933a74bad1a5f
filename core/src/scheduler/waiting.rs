//! How requests come in, wait, expire and leave.

use super::entry::{Entry, Standing};
use super::lane::{CHECK_AFTER, Scheduler};
use super::{Command, Gone, Waiting};
use crate::fallback::HopCause;
use crate::ids::{CallNo, LaneId, RequestId, TenantId};
use crate::ledger::NeverFits;
use crate::request::{Failure, Priority};
use crate::units::{Timestamp, Tokens};
use std::cmp::Reverse;

impl Scheduler {
    pub(super) fn arrived(&mut self, waiting: &Waiting, out: &mut Vec<Command>) {
        self.no_longer_held(waiting.id);
        self.outdated_by(waiting);
        if self.table.find(waiting.id).is_some() {
            return;
        }
        if !self.config.lane.is_gone()
            && let Err(never) = self.ledger.fits(waiting.reserve)
        {
            let cause = HopCause::TooLarge;
            out.push(self.cannot_pass(waiting.id, waiting.may_leave, cause, never_fits(never)));
            return;
        }
        if let Some(slot) = self.take_in(waiting) {
            self.keep_window(slot);
        }
    }

    /// A row that waits again with the number of the call it is known by here: that call is over, and the news of
    /// its end is still on its way. Until it comes the call keeps its charge; the request need not wait for it, and
    /// must not be forgotten with it.
    fn outdated_by(&mut self, waiting: &Waiting) {
        let Some(slot) = self.table.find(waiting.id) else {
            return;
        };
        let Some(entry) = self.table.get(slot) else { return };
        let (standing, call) = (entry.standing, entry.call);
        if entry.waits() || waiting.last_call < call {
            return;
        }
        if standing == Standing::Released {
            self.released = self.released.saturating_sub(1);
            let until = self.write_off_at(self.now);
            if let Some(entry) = self.table.get_mut(slot) {
                entry.standing = Standing::Running;
            }
            self.set_alarm(slot, until);
        }
        if self.ledger.is_open((waiting.id, call)) {
            self.table.make_stray(slot);
        } else {
            self.forget(slot);
        }
    }

    /// Enters a request that is not known yet.
    pub(super) fn take_in(&mut self, waiting: &Waiting) -> Option<u32> {
        if self.table.find(waiting.id).is_some() {
            return None;
        }
        // News older than a call that goes on: its number must not be given out again.
        let mut call = waiting.last_call;
        while let Some(slot) = self.table.find_stray((waiting.id, call.next())) {
            if self
                .table
                .get(slot)
                .is_some_and(|stray| stray.standing == Standing::Released)
            {
                // Another holder may have let it go; what became of that is told with the request.
                return None;
            }
            call = call.next();
        }
        let terms = self.config.terms(&waiting.tenant);
        let flow = self.shares.intern(waiting.priority, &waiting.tenant, terms);
        let mut entry = Entry::new(waiting, flow);
        entry.call = call;
        let slot = self.table.insert(entry);
        self.shares.join(flow);
        self.wait(slot, waiting.not_before.unwrap_or(Timestamp::EPOCH));
        Some(slot)
    }

    /// Lets a request wait from now on, not to go before `not_before`.
    pub(super) fn wait(&mut self, slot: u32, not_before: Timestamp) {
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        entry.not_before = not_before;
        entry.standing = Standing::Snoozed;
        if entry.may_leave {
            self.leavers.insert((Reverse(entry.reserve), slot));
        }
        let (flow, arrived, reserve) = (entry.flow, entry.arrived, entry.reserve);
        let (limit, cost) = (entry.limit(), entry.expected());
        if let Some(flow) = self.shares.flow_mut(flow) {
            flow.waiting.add(reserve);
            let band = flow.priority.index();
            self.counts[band].add(reserve);
            if let Some(limit) = limit {
                self.limited[band].insert(limit, slot, cost);
            }
            self.ages[band].add(arrived, slot, &self.table, self.counts[band].requests);
        }
        self.line_up(slot);
    }

    /// Puts a waiting request into its tenant's line, or sets its alarm for when it is time to.
    fn line_up(&mut self, slot: u32) {
        let now = self.now;
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        if entry.not_before > now {
            let at = entry.not_before.min(entry.expires);
            self.set_alarm(slot, at);
            return;
        }
        entry.standing = Standing::Waiting;
        let (flow, place, cost, expires) = (entry.flow, entry.place(), entry.expected(), entry.expires);
        self.shares.enqueue(flow, place, slot, cost);
        if expires == Timestamp::NEVER {
            self.set_alarm(slot, expires);
        } else {
            self.watch_slack(slot);
        }
    }

    /// Takes a request out of what waits; it stays known.
    pub(super) fn stop_waiting(&mut self, slot: u32, becomes: Standing) {
        let Some(entry) = self.table.get_mut(slot).filter(|entry| entry.waits()) else {
            return;
        };
        let in_line = entry.standing == Standing::Waiting;
        entry.standing = becomes;
        if entry.may_leave {
            self.leavers.remove(&(Reverse(entry.reserve), slot));
        }
        let (flow, place, reserve) = (entry.flow, entry.place(), entry.reserve);
        let limit = entry.limit();
        if in_line {
            self.shares.dequeue(flow, place);
            self.not_urgent(slot);
        }
        if let Some(flow) = self.shares.flow_mut(flow) {
            flow.waiting.take(reserve);
            let band = flow.priority.index();
            self.counts[band].take(reserve);
            if let Some(limit) = limit {
                self.limited[band].remove(limit);
            }
            self.ages[band].trim(&self.table);
        }
    }

    /// A request that waits costs otherwise; its place in line stays, and so do its tenant's turns. One that was called
    /// since may cost otherwise again.
    pub(super) fn resized(&mut self, request: RequestId, last_call: CallNo, cost: (Tokens, Tokens, Tokens)) {
        let Some(slot) = self.table.find(request) else {
            return;
        };
        let entry = self.table.get_mut(slot);
        let Some(entry) = entry.filter(|entry| entry.waits() && entry.call == last_call) else {
            return;
        };
        let before = entry.reserve;
        entry.set_cost(cost);
        let (reserve, expected, _) = cost;
        if entry.may_leave {
            self.leavers.remove(&(Reverse(before), slot));
            self.leavers.insert((Reverse(reserve), slot));
        }
        let (flow, place, limit) = (entry.flow, entry.place(), entry.limit());
        if entry.standing == Standing::Waiting {
            self.shares.reprice(flow, place, slot, expected);
        }
        let Some(flow) = self.shares.flow_mut(flow) else {
            return;
        };
        let band = flow.priority.index();
        for load in [&mut flow.waiting, &mut self.counts[band]] {
            load.take(before);
            load.add(reserve);
        }
        if let Some(limit) = limit {
            self.limited[band].remove(limit);
            self.limited[band].insert(limit, slot, expected);
        }
    }

    /// Forgets a request altogether.
    pub(super) fn forget(&mut self, slot: u32) {
        let under_way = self.table.get(slot).is_some_and(Entry::is_under_way);
        self.stop_waiting(slot, Standing::Running);
        self.set_alarm(slot, Timestamp::NEVER);
        if let Some(entry) = self.table.remove(slot) {
            if under_way {
                self.shares.ended_elsewhere(slot);
                self.shares.ends(entry.flow);
            }
            self.shares.part(entry.flow);
        }
    }

    pub(super) fn left(&mut self, request: RequestId, why: Gone, out: &mut Vec<Command>) {
        self.no_longer_held(request);
        let Some(slot) = self.table.find(request) else {
            return;
        };
        let Some(entry) = self.table.get(slot) else { return };
        let (flow, key) = (entry.flow, entry.key());
        match entry.standing {
            Standing::Waiting | Standing::Snoozed => self.forget(slot),
            // The row may have been read before it was let go. Is it elsewhere now, the release will be refused.
            Standing::Released if why == Gone::Elsewhere => {}
            // It has ended for good; but a worker may have claimed it before, whose word of that is on its way.
            Standing::Released => self.set_alarm(slot, self.now),
            // Its call goes on, and so does its charge, until its end is told.
            Standing::Running if self.ledger.is_open(key) => self.table.make_stray(slot),
            Standing::Running => self.forget(slot),
        }
        self.refill(flow, out);
    }

    /// A request that no wait lets through here leaves the lane.
    pub(super) fn give_up(&mut self, slot: u32, cause: HopCause, failure: Failure, out: &mut Vec<Command>) {
        let Some(entry) = self.table.get(slot) else { return };
        let (request, flow, may_leave) = (entry.id, entry.flow, entry.may_leave);
        out.push(self.cannot_pass(request, may_leave, cause, failure));
        self.forget(slot);
        self.refill(flow, out);
    }

    /// It goes on in its chain, or fails where that has ended.
    fn cannot_pass(
        &mut self,
        request: RequestId,
        may_leave: bool,
        cause: HopCause,
        failure: Failure,
    ) -> Command {
        if may_leave {
            self.left += 1;
            return Command::Leave { request, cause };
        }
        Command::Fail { request, failure }
    }

    /// Does what its time has come for: snoozes that end, deadlines that pass, releases not heard of.
    pub(super) fn ring(&mut self, out: &mut Vec<Command>) {
        while let Some(&(at, slot)) = self.alarms.first() {
            if at > self.now {
                break;
            }
            let Some(entry) = self.table.get(slot) else {
                self.alarms.pop_first();
                continue;
            };
            let (request, call, flow) = (entry.id, entry.call, entry.flow);
            match entry.standing {
                Standing::Waiting | Standing::Snoozed if entry.expires <= self.now => {
                    out.push(Command::Expire { request });
                    self.forget(slot);
                    self.refill(flow, out);
                }
                Standing::Waiting => self.watch_slack(slot),
                Standing::Snoozed => self.line_up(slot),
                Standing::Released => {
                    out.push(Command::Check { request, call });
                    self.set_alarm(slot, self.now + CHECK_AFTER);
                }
                Standing::Running => self.overdue(slot, out),
            }
        }
    }

    /// Partial view: keeps no more than the window of a tenant's heads.
    fn keep_window(&mut self, slot: u32) {
        let Some(window) = self.config.window else { return };
        let Some(flow) = self.table.get(slot).map(|entry| entry.flow) else {
            return;
        };
        let Some(it) = self.shares.flow_mut(flow) else {
            return;
        };
        if it.line.len() > window.max(1) {
            it.more = true;
            it.missed |= it.asked;
            if let Some(last) = it.line.last() {
                if let Some(gone) = self.table.get(last).cloned() {
                    self.goes_beyond(&gone);
                }
                self.forget(last);
            }
        }
    }

    pub(super) fn refilled(
        &mut self,
        priority: Priority,
        tenant: &TenantId,
        more: bool,
        out: &mut Vec<Command>,
    ) {
        let terms = self.config.terms(tenant);
        let flow = self.shares.intern(priority, tenant, terms);
        // Joining and parting leaves a flow that turned out to be empty to be forgotten.
        self.shares.join(flow);
        if let Some(it) = self.shares.flow_mut(flow) {
            it.asked = false;
            it.more = std::mem::take(&mut it.missed) || more;
        }
        if !more {
            self.nothing_beyond(flow);
        }
        self.shares.part(flow);
        self.refill(flow, out);
    }

    /// Partial view: asks for more of a tenant's requests when less than half a window of them is left.
    pub(super) fn refill(&mut self, flow: u32, out: &mut Vec<Command>) {
        let Some(window) = self.config.window else { return };
        let Some(it) = self.shares.flow_mut(flow) else {
            return;
        };
        if it.more && !it.asked && it.line.len() * 2 < window.max(1) {
            it.asked = true;
            out.push(Command::Refill {
                priority: it.priority,
                tenant: it.tenant.clone(),
            });
        }
    }
}

pub(super) fn never_fits(never: NeverFits) -> Failure {
    Failure {
        kind: None,
        status: 400,
        exception: "ValidationException".to_owned(),
        message: format!("This request can never be served: {never}."),
        headers: Vec::new(),
    }
}

/// Not the request's own fault, so a job that fails by it is a dead letter.
pub(super) fn lane_gone(lane: &LaneId) -> Failure {
    Failure {
        kind: None,
        status: 503,
        exception: "ServiceUnavailableException".to_owned(),
        message: format!(
            "Lane {lane} is not configured any more, and no other lane is left in this request's chain. Configure \
             [lanes.{lane}] again and redrive it, or submit it anew."
        ),
        headers: Vec::new(),
    }
}
