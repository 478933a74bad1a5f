//! The urgent pass: whoever has a real deadline and hardly any time left may go before its turn.
//!
//! A request grows urgent [`AHEAD`] before the last moment at which it can start and still be in time, but not before
//! three quarters of its time have passed: one that was given a second is not urgent from the first moment on. It then
//! stands before the one whose turn it is, and what it costs is charged to its tenant and its band as ever, while virtual
//! time stays where it is. So both have their next turn only when the others have been served as much in
//! proportion: the pass is a loan on their own share.
//!
//! How much may be on loan is bounded ([`super::account::Allowance`]), for the band among the bands and for the
//! tenant among its band's: what its weight gives it in a quarter of a minute, a fortieth of ten, so that shares over
//! ten minutes stay what they should be; or one request that is larger, as long as it is made up for within ten minutes
//! and nothing before it is left to be made up for. Beyond that an urgent request waits for its turn like any other.

use super::entry::Entry;
use super::fairness::Turn;
use super::lane::Scheduler;
use crate::units::{Millis, Timestamp};

/// In this time a bucket of ten seconds is full: whatever is not larger than the burst can be admitted.
const AHEAD: Millis = Millis::from_secs(10);
/// Of those that may not pass, so many are looked at for one that may.
const LOOK: usize = 32;

impl Scheduler {
    /// Who goes next, and by what right.
    pub(super) fn next(&self) -> Option<(u32, Turn)> {
        let head = self.shares.head()?;
        // Where it is its tenant's turn nobody needs to be passed, and inside a tenant the order stays as it is.
        let flow = |slot| self.table.get(slot).map(|entry| entry.flow);
        match self.passes() {
            Some(urgent) if flow(urgent) != flow(head) => Some((urgent, Turn::Urgent)),
            _ => Some((head, Turn::Own)),
        }
    }

    /// The most urgent request that may pass.
    fn passes(&self) -> Option<u32> {
        let urgent = self.urgent.iter().take(LOOK).map(|(_, _, slot)| *slot);
        urgent.into_iter().find(|slot| self.may_pass(*slot))
    }

    fn may_pass(&self, slot: u32) -> bool {
        let Some(entry) = self.table.get(slot) else {
            return false;
        };
        let quota = self.config.lane.tokens_per_minute;
        !entry.wants_alone
            && !self.must_wait_to_retry(slot)
            && !self.shares.is_capped(entry.flow)
            && self.shares.may_pass(entry.flow, entry.expected(), quota)
            // Nobody waits for one that cannot go before it expires.
            && self.ledger.earliest(self.now, entry.reserve) < entry.expires
    }

    /// When a request with an end grows urgent.
    fn urgent_at(&self, entry: &Entry) -> Timestamp {
        let last = if entry.has_deadline {
            entry.expires.min(entry.due.before(self.span.mean()))
        } else {
            entry.expires
        };
        let time = last.since(entry.arrived).get();
        last.before(AHEAD.min(Millis::new(time / 4)))
    }

    /// Counts a request in line among the urgent if it is, and has it looked at when it grows so or expires.
    pub(super) fn watch_slack(&mut self, slot: u32) {
        let Some(entry) = self.table.get(slot) else { return };
        let (at, expires, id) = (self.urgent_at(entry), entry.expires, entry.id);
        if at > self.now {
            self.set_alarm(slot, at.min(expires));
            return;
        }
        self.set_alarm(slot, expires);
        self.urgent.insert((expires, id, slot));
        if let Some(entry) = self.table.get_mut(slot) {
            entry.urgent = true;
        }
    }

    /// It has left the line.
    pub(super) fn not_urgent(&mut self, slot: u32) {
        let Some(entry) = self.table.get_mut(slot) else {
            return;
        };
        if std::mem::take(&mut entry.urgent) {
            let key = (entry.expires, entry.id, slot);
            self.urgent.remove(&key);
        }
    }
}
