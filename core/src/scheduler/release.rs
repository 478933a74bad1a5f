//! Letting requests go: the one whose turn it is, and smaller ones behind it that do not delay it.

use super::entry::Standing;
use super::fairness::Turn;
use super::lane::{CHECK_AFTER, Scheduler};
use super::waiting::{lane_gone, never_fits};
use super::{Command, Waiting};
use crate::breaker::Gate;
use crate::fallback::HopCause;
use crate::ledger::{Demand, Wait};
use crate::request::Priority;
use crate::units::{Millis, Timestamp, Tokens};
use std::cmp::Reverse;

/// How often a retry without budget looks again.
const BUDGET_LOOK: Millis = Millis::from_secs(1);
/// How often it is looked at whether less is kept for interactive requests.
const KEPT_LOOK: Millis = Millis::from_secs(1);
/// How many requests are sent on in one step: their writes should not hold everything else back.
const LEAVE_AT_ONCE: usize = 256;

/// A waiting request whose chain goes on: what it reserves, and its slot.
pub(super) type Leaver = (Reverse<Tokens>, u32);

/// A caller that runs its own call has claimed it by then, or is gone.
const CALLER_STARTS_WITHIN: Millis = Millis::from_secs(20);

/// How many requests behind a blocked one are looked at (EASY backfill).
const BACKFILL: usize = 8;

impl Scheduler {
    /// Lets go whatever can go now.
    pub(super) fn let_go(&mut self, out: &mut Vec<Command>) {
        self.blocked_until = None;
        if self.config.lane.is_gone() {
            self.turn_away(out);
            return;
        }
        let more_leave = self.send_on_for_today(out);
        while let Some((head, turn)) = self.next() {
            // A claim or a lapse makes room.
            if self.has_handed_enough() {
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
            if self.must_wait_to_retry(head) {
                self.spare(head, out);
                continue;
            }
            match self.reserve(head) {
                Ok(()) => self.release(head, turn, out),
                Err(Wait::Never(never)) => self.give_up(head, HopCause::TooLarge, never_fits(never), out),
                Err(Wait::Until(at)) => {
                    self.blocked_until = Some(at);
                    self.backfill(head, at, out);
                    if self.little_waits() && self.ledger.keeps_something(self.now) {
                        self.blocked_until = Some(at.min(self.now + KEPT_LOOK));
                    }
                    break;
                }
                // It waits for every call to end: whatever went now would only be waited for too.
                Err(Wait::CallEnds) => break,
            }
        }
        self.send_on(out);
        if more_leave {
            self.blocked_until = Some(self.now);
        }
    }

    /// Nobody is called in a lane that is not configured any more, and nobody waits in it. What is snoozed is turned
    /// away when its time comes.
    fn turn_away(&mut self, out: &mut Vec<Command>) {
        for _ in 0..LEAVE_AT_ONCE {
            let Some(head) = self.shares.head() else { return };
            let failure = lane_gone(&self.config.lane.id);
            self.give_up(head, HopCause::LaneGone, failure, out);
        }
        // The others right after whatever else there is to do.
        self.blocked_until = Some(self.now);
    }

    fn has_handed_enough(&self) -> bool {
        self.released >= self.config.handing.most_unclaimed
    }

    /// Why the lane calls nobody now, where that is so.
    fn calls_nobody(&mut self) -> Option<HopCause> {
        if matches!(self.breaker.gate(self.now), Gate::Shut(_)) {
            return Some(HopCause::BreakerOpen);
        }
        let parked = self.ledger.day_parked_until(self.now);
        parked.map(|_| HopCause::Parked)
    }

    /// Whether a new request would be sent on in the step in which it comes.
    pub(super) fn would_leave(&mut self, newcomer: &Waiting) -> bool {
        let left_today = self.ledger.left_of_day(self.now);
        newcomer.may_leave
            && (self.calls_nobody().is_some() || left_today.is_some_and(|left| newcomer.reserve > left))
    }

    /// Whoever needs more than is left of the day's tokens need not wait here for the next day. They leave before anybody
    /// goes, so that none of them holds up the smaller ones behind it. True where more of them are left.
    fn send_on_for_today(&mut self, out: &mut Vec<Command>) -> bool {
        let Some(left) = self.ledger.left_of_day(self.now) else {
            return false;
        };
        for _ in 0..LEAVE_AT_ONCE {
            let first = self.leavers.first();
            let Some(&(_, slot)) = first.filter(|(reserve, _)| reserve.0 > left) else {
                return false;
            };
            self.leave(slot, HopCause::Parked, out);
        }
        true
    }

    /// Where the lane calls nobody, those whose chain goes on need not wait for it.
    fn send_on(&mut self, out: &mut Vec<Command>) {
        let Some(cause) = self.calls_nobody() else { return };
        for _ in 0..LEAVE_AT_ONCE {
            let Some(&(_, slot)) = self.leavers.first() else {
                return;
            };
            self.leave(slot, cause, out);
        }
        // The others right after whatever else there is to do.
        self.blocked_until = Some(self.now);
    }

    fn leave(&mut self, slot: u32, cause: HopCause, out: &mut Vec<Command>) {
        let Some(entry) = self.table.get(slot) else {
            self.leavers.retain(|(_, known)| *known != slot);
            return;
        };
        let (request, flow) = (entry.id, entry.flow);
        out.push(Command::Leave { request, cause });
        self.left += 1;
        self.forget(slot);
        self.refill(flow, out);
    }

    pub(super) fn must_wait_to_retry(&self, slot: u32) -> bool {
        let retries = self.table.get(slot).is_some_and(|entry| entry.retries);
        retries && !self.budget.allows(self.now)
    }

    /// A retry for which there is no budget goes on in the next lane of its chain, where its call is no retry; or else
    /// lets the others pass and asks again later. A text is no answer to that: the budget comes back within seconds.
    fn spare(&mut self, slot: u32, out: &mut Vec<Command>) {
        if self.table.get(slot).is_some_and(|entry| entry.has_next_lane) {
            self.leave(slot, HopCause::RetriesSpent, out);
            return;
        }
        self.put_off += 1;
        self.stop_waiting(slot, Standing::Snoozed);
        self.wait(slot, self.now + BUDGET_LOOK);
    }

    fn reserve(&mut self, slot: u32) -> Result<(), Wait> {
        let alone = self.ledger.under_way() == 0;
        let Some(demand) = self.demand(slot) else {
            return Err(Wait::CallEnds);
        };
        let Some(entry) = self.table.get_mut(slot) else {
            return Err(Wait::CallEnds);
        };
        let key = (entry.id, entry.call.next());
        let admitted = if entry.wants_alone {
            self.ledger.reserve_alone(self.now, key, demand)
        } else {
            self.ledger.reserve(self.now, key, demand)
        };
        entry.went_alone = admitted.is_ok() && alone;
        admitted
    }

    /// What a request wants of the ledger. Where little waits, less is kept from it: a burst's last requests would wait
    /// for what nobody else wants.
    fn demand(&self, slot: u32) -> Option<Demand> {
        let entry = self.table.get(slot)?;
        let priority = self.shares.flow(entry.flow)?.priority;
        let demand = Demand::of(entry.reserve, priority).with_surplus(entry.surplus());
        Some(if self.little_waits() {
            demand.of_few()
        } else {
            demand
        })
    }

    /// By what is in line is expected to cost. Of a partial view nobody knows.
    fn little_waits(&self) -> bool {
        let in_line = Priority::ALL.map(|priority| self.shares.backlog(priority).tokens);
        self.config.window.is_none() && self.ledger.is_little(in_line.into_iter().sum())
    }

    /// The head was promised to go `at`. A few behind it may go now if that still holds with them gone.
    fn backfill(&mut self, head: u32, at: Timestamp, out: &mut Vec<Command>) {
        let (Some(promised), Some(wanted)) =
            (self.table.get(head).map(|entry| entry.reserve), self.demand(head))
        else {
            return;
        };
        let mut candidates = std::mem::take(&mut self.candidates);
        self.behind(head, &mut candidates);
        for &slot in &candidates {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            let reserve = entry.reserve;
            let Some(demand) = self.demand(slot) else { continue };
            let small = reserve < promised && !entry.wants_alone;
            if small
                && !self.has_handed_enough()
                && !self.must_wait_to_retry(slot)
                && !self.shares.is_capped(entry.flow)
                && !matches!(self.breaker.gate(self.now), Gate::Shut(_))
                && self.ledger.admits(self.now, demand)
                && self.ledger.keeps(self.now, at, wanted, demand)
                && self.reserve(slot).is_ok()
            {
                self.release(slot, Turn::Behind, out);
            }
        }
        self.candidates = candidates;
    }

    /// The next few behind the head, in about the order of their turns: the first of each flow, bands taking
    /// turns, then the second of each, and so on.
    fn behind(&self, head: u32, found: &mut Vec<u32>) {
        found.clear();
        let mut flows = [0u32; BACKFILL];
        let mut known = 0;
        let mut bands: [_; 3] = std::array::from_fn(|_| None);
        for (place, priority) in bands.iter_mut().zip(self.shares.turns()) {
            *place = Some(self.shares.flows_in_turn(priority));
        }
        'flows: for _ in 0..BACKFILL {
            for flow in bands.iter_mut().flatten().filter_map(Iterator::next) {
                if known == BACKFILL {
                    break 'flows;
                }
                flows[known] = flow;
                known += 1;
            }
        }
        for depth in 0..=BACKFILL {
            for flow in &flows[..known] {
                let slot = self.shares.flow(*flow).and_then(|flow| flow.line.nth(depth));
                found.extend(slot.filter(|slot| *slot != head));
                if found.len() == BACKFILL {
                    return;
                }
            }
        }
    }

    fn release(&mut self, slot: u32, turn: Turn, out: &mut Vec<Command>) {
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        entry.call = entry.call.next();
        entry.drags = false;
        let (flow, expected, retries, key) = (entry.flow, entry.expected(), entry.retries, entry.key());
        let within = self.config.handing.start_within;
        let within = if entry.by_caller {
            within.min(CALLER_STARTS_WITHIN)
        } else {
            within
        };
        let start_by = (self.now + within).min(entry.expires);
        out.push(Command::Release {
            request: entry.id,
            call: entry.call,
            reserve: entry.reserve,
            start_by,
        });
        self.breaker.released(key);
        if retries {
            self.budget.spend(self.now);
        } else {
            self.budget.earn();
        }
        // The tags move on before the line moves up, so that the last one of a flow leaves its tag behind.
        self.shares.serve(flow, expected, turn);
        self.stop_waiting(slot, Standing::Released);
        self.shares.begins(flow);
        self.released += 1;
        self.set_alarm(slot, start_by + CHECK_AFTER);
        self.refill(flow, out);
    }
}
