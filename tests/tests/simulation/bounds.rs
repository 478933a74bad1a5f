//! No more waits than may, by what is durable.

use super::judge::Book;
use smoother_core::{CallNo, Request, State};

impl Book {
    /// A new row waits: those that were let in are no more than the lane's bounds allow.
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
        };
        let mut lane = 1;
        let mut band = 1;
        for row in self.rows.values().filter(waits) {
            lane += 1;
            band += u64::from(row.priority == new.priority);
        }
        let bounds = [(limits.lane, lane), (limits.of(new.priority), band)];
        bounds.into_iter().find_map(|(bound, waiting)| {
            let most = bound.requests?;
            (waiting > most + calls).then(|| {
                format!(
                    "bound: with {} there wait {waiting} in {}, and {most} may beside {calls} calls",
                    new.id, new.lane
                )
            })
        })
    }
}
