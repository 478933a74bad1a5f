//! Making room: what waits in a lower band is given up for one of a higher band that would find no room.
//!
//! What has expired goes first, as ever. Then goes the last in line of the lowest band, of the tenant of which most waits
//! there; under a tenant's own bound of that tenant. As many go as make the room that is wanted and no more; if all that
//! may go does not make it, nothing goes. Nobody is given up for one of its own band, so a band's own bound makes no room;
//! nor is what has been called before, snoozes, or has been let go. Each goes on in its chain of fallbacks or fails, and
//! says for what.

use super::bounds::{Crowd, Full, Scope};
use super::entry::Entry;
use super::lane::Scheduler;
use super::{Command, Waiting};
use crate::fallback::HopCause;
use crate::ids::{LaneId, TenantId};
use crate::request::{Failure, Priority};
use crate::units::{Millis, Timestamp};
use std::collections::BTreeMap;

/// How many are given up for one: where more would have to go, it is refused.
pub(super) const MOST: usize = 64;

/// The shortest and the longest time after which one that was given up is told to come back, as at the door.
const SOONEST: Millis = Millis::from_secs(1);
const LATEST: Millis = Millis::from_secs(15 * 60);

/// How many of each flow's last are to be given up.
#[derive(Debug, Default)]
struct Chosen {
    of_flow: BTreeMap<u32, usize>,
    slots: Vec<(u32, Full)>,
}

impl Scheduler {
    /// Gives up what a newcomer needs the room of.
    ///
    /// # Errors
    /// The bound that leaves it no room all the same; then nothing was given up.
    pub(super) fn make_room(
        &mut self,
        now: Timestamp,
        newcomer: &Waiting,
        out: &mut Vec<Command>,
    ) -> Result<(), Full> {
        let crowd = self.crowd(now, newcomer);
        self.make_room_in(crowd, now, newcomer, out)
    }

    /// Whether a request that was let in elsewhere, and is said to have come, wants the room of others.
    pub fn wants_room(&self, now: Timestamp, arrived: &Waiting) -> bool {
        let now = self.now.max(now);
        let crowd = self.crowd_beside(now, arrived, self.knows(arrived.id));
        crowd.is_some_and(|crowd| self.first_full(now, arrived, &crowd).is_some())
    }

    /// Gives up what a request needs the room of that was let in elsewhere and has come, if that makes the room. What is
    /// to be done is for `out`, and a step has to follow.
    pub fn make_room_for_arrived(&mut self, now: Timestamp, arrived: &Waiting, out: &mut Vec<Command>) {
        self.now = self.now.max(now);
        if let Some(crowd) = self.crowd_beside(self.now, arrived, true) {
            // What does not find room has been accepted all the same.
            let _ = self.make_room_in(crowd, self.now, arrived, out);
        }
    }

    /// What waits beside a request that was let in elsewhere; `None` where nobody would be given up for it.
    fn crowd_beside(&self, now: Timestamp, arrived: &Waiting, is_counted: bool) -> Option<Crowd> {
        let slot = self.table.find(arrived.id);
        let has_gone = slot.is_some_and(|slot| self.table.get(slot).is_some_and(Entry::is_under_way));
        if !self.config.limits.shed || has_gone || !self.config.is_bound(arrived.priority, &arrived.tenant) {
            return None;
        }
        let mut crowd = self.crowd(now, arrived);
        if is_counted {
            for load in [&mut crowd.lane, &mut crowd.band, &mut crowd.tenant] {
                load.take(arrived.reserve);
            }
        }
        Some(crowd)
    }

    fn make_room_in(
        &mut self,
        mut crowd: Crowd,
        now: Timestamp,
        newcomer: &Waiting,
        out: &mut Vec<Command>,
    ) -> Result<(), Full> {
        let mut chosen = Chosen::default();
        while let Some(full) = self.first_full(now, newcomer, &crowd) {
            let next = (self.config.limits.shed && chosen.slots.len() < MOST)
                .then(|| self.to_be_shed(newcomer.priority, &full.scope, &chosen))
                .flatten();
            let Some((flow, slot)) = next else {
                return Err(full);
            };
            self.take_off(&mut crowd, slot, newcomer);
            *chosen.of_flow.entry(flow).or_default() += 1;
            chosen.slots.push((slot, full));
        }
        for (slot, full) in chosen.slots {
            self.shed += 1;
            let mut failure = made_room(&self.config.lane.id, full.key(), full.bound, newcomer.priority);
            let come_back = full.next.since(now).clamp(SOONEST, LATEST);
            let seconds = come_back.get().div_ceil(1_000).to_string();
            failure.headers.push(("retry-after".to_owned(), seconds));
            self.give_up(slot, HopCause::Shed, failure, out);
        }
        Ok(())
    }

    fn take_off(&self, crowd: &mut Crowd, slot: u32, newcomer: &Waiting) {
        let Some(entry) = self.table.get(slot) else { return };
        crowd.lane.take(entry.reserve);
        let flow = self.shares.flow(entry.flow);
        if flow.is_some_and(|flow| flow.tenant == newcomer.tenant) {
            crowd.tenant.take(entry.reserve);
        }
    }

    /// The next to be given up, and its flow.
    fn to_be_shed(&self, newcomer: Priority, scope: &Scope, chosen: &Chosen) -> Option<(u32, u32)> {
        let lower = Priority::ALL.into_iter().rev().filter(|band| *band > newcomer);
        lower.into_iter().find_map(|band| match scope {
            Scope::Band(_) => None,
            Scope::Lane => self.last_of_the_longest(band, None, chosen),
            Scope::Tenant { id, .. } => self.last_of_the_longest(band, Some(id), chosen),
        })
    }

    fn last_of_the_longest<'a>(
        &'a self,
        band: Priority,
        only: Option<&TenantId>,
        chosen: &Chosen,
    ) -> Option<(u32, u32)> {
        let flows = &self.shares.bands[band.index()].by_tenant;
        let last = |(tenant, flow): (&'a TenantId, &u32)| {
            let line = &self.shares.flow(*flow)?.line;
            let left = line.len() - chosen.of_flow.get(flow).copied().unwrap_or(0);
            let slot = line.nth(left.checked_sub(1)?)?;
            // Those that come back stand first: it is the last of all if it is one of them.
            let fresh = self.table.get(slot).is_some_and(|entry| !entry.returned);
            fresh.then_some((left, std::cmp::Reverse(tenant), *flow, slot))
        };
        let longest = match only {
            Some(only) => flows.get_key_value(only).and_then(last),
            None => flows.iter().filter_map(last).max(),
        };
        longest.map(|(_, _, flow, slot)| (flow, slot))
    }
}

/// Why it was given up, as its caller will read it. Not its own fault, so a job that fails by it is a dead letter.
pub(super) fn made_room(lane: &LaneId, key: &str, bound: u64, higher: Priority) -> Failure {
    Failure {
        kind: None,
        status: 429,
        exception: "ThrottlingException".to_owned(),
        message: format!(
            "Too many requests, please wait before trying again. As much waits for lane {lane} as may ({key} is \
             {bound}), and this request, the last in line, has made room for one of priority {higher}."
        ),
        headers: Vec::new(),
    }
}
