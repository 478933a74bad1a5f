//! No more waits than may, by what is durable.

use super::judge::{Book, short};
use smoother_core::{CallNo, Failure, HopCause, Outcome, Request, State};

/// Whether this is the end of one that made room for another.
pub fn was_shed(failure: &Failure) -> bool {
    failure.message.contains("has made room for one of priority")
}

impl Book {
    /// What makes room waits, and has never been called.
    pub(super) fn sheds(&mut self, known: Option<&Request>, row: &Request) -> Option<String> {
        let known = known.filter(|known| known.state == State::Queued)?;
        let fails = matches!(&row.outcome, Some(Outcome::Failure(failure)) if was_shed(failure));
        let left = row.hops.get(known.hops.len());
        if !fails && left.is_none_or(|hop| hop.cause != HopCause::Shed) {
            return None;
        }
        self.note("shed", &short(row.id));
        (known.call != CallNo::NONE && known.hops.is_empty() && known.redriven == 0).then(|| {
            format!(
                "bound: {} made room for another after call {}",
                row.id, known.call
            )
        })
    }

    /// A new row waits: those that were let in are no more than the bounds of its lane, its band and its tenant allow.
    ///
    /// The lane knows earlier than its store who has gone, or will go at once: those have a place among its calls. What
    /// comes back, or on from another lane, was accepted before, and waits beyond any bound.
    pub(super) fn bounds(&self, new: &Request) -> Option<String> {
        let limits = &self.config.limits;
        let calls = u64::from(self.config.lanes.get(&new.lane)?.max_concurrency);
        let waits = |row: &&Request| {
            matches!(row.state, State::Received | State::Queued)
                && row.lane == new.lane
                && row.call == CallNo::NONE
                && row.hops.is_empty()
                && row.redriven == 0
        };
        let mut lane = 1;
        let mut band = 1;
        let mut tenant = 1;
        for row in self.rows.values().filter(waits) {
            lane += 1;
            band += u64::from(row.priority == new.priority);
            tenant += u64::from(row.tenant == new.tenant);
        }
        let own = self.config.tenants.get(&new.tenant);
        let own = own.and_then(|own| own.max_waiting.requests);
        let bounds = [
            (limits.lane.requests, lane),
            (limits.of(new.priority).requests, band),
            (own.or(limits.tenant.requests), tenant),
        ];
        bounds.into_iter().find_map(|(bound, waiting)| {
            let most = bound?;
            (waiting > most + calls).then(|| {
                format!(
                    "bound: with {} there wait {waiting} in {}, and {most} may beside {calls} calls",
                    new.id, new.lane
                )
            })
        })
    }
}
