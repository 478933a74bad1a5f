//! Which ids drawn lately are known: of one that is drawn just now, memory alone can say that nothing is stored.

use crate::sqlite::place::{arrival, ms_of};
use smoother_core::{Millis, RequestId, Timestamp};
use std::collections::HashSet;

/// How far back ids are remembered once there are many.
const SPAN: Millis = Millis::from_secs(1);
/// Ids that are remembered however old they are.
const FEW: usize = 16_384;

/// Every id with a time of its own (UUID version 7) from `since` on that was stored in this run. There is none of
/// an earlier run: `since` is after all that it can have stored.
#[derive(Debug)]
pub(super) struct Recent {
    since: Timestamp,
    ids: HashSet<RequestId>,
    most: usize,
}

impl Recent {
    /// `newest_place` and `ahead` are where the last run ended.
    pub fn new(newest_place: i64, ahead: Timestamp) -> Self {
        let since = if newest_place < 0 {
            Timestamp::from_millis(0)
        } else {
            ms_of(newest_place).max(ahead) + Millis::new(1)
        };
        Self {
            since,
            ids: HashSet::new(),
            most: FEW,
        }
    }

    /// Whether nothing was ever stored under this id, as far as memory tells.
    pub fn is_new(&self, id: RequestId) -> bool {
        arrival(id).is_some_and(|at| at >= self.since) && !self.ids.contains(&id)
    }

    /// A request with this id is stored now.
    pub fn add(&mut self, id: RequestId) {
        let Some(at) = arrival(id).filter(|at| *at >= self.since) else {
            return;
        };
        self.ids.insert(id);
        if self.ids.len() > self.most {
            self.since = self.since.max(at.before(SPAN));
            let since = self.since;
            self.ids.retain(|id| arrival(*id).is_some_and(|at| at >= since));
            self.most = FEW.max(2 * self.ids.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::place::first_of;

    fn drawn(ms: u64, n: u16) -> RequestId {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&n.to_be_bytes());
        RequestId::fresh(Timestamp::from_millis(ms), random)
    }

    #[test]
    fn an_id_is_new_until_it_is_stored() {
        let mut recent = Recent::new(-1, Timestamp::from_millis(0));
        assert!(recent.is_new(drawn(5, 1)));
        recent.add(drawn(5, 1));
        assert!(!recent.is_new(drawn(5, 1)));
        assert!(recent.is_new(drawn(5, 2)));
        let keyed = RequestId::keyed(&smoother_core::TenantId::default(), "k");
        assert!(!recent.is_new(keyed), "an id made of a key has no time");
    }

    #[test]
    fn of_an_earlier_run_nothing_is_said() {
        let place = first_of(Timestamp::from_millis(100));
        let recent = Recent::new(place, Timestamp::from_millis(120));
        assert!(!recent.is_new(drawn(100, 1)));
        assert!(!recent.is_new(drawn(120, 1)));
        assert!(recent.is_new(drawn(121, 1)));
    }

    #[test]
    fn whatever_was_stored_is_never_new_again_however_many_there_are() {
        let mut recent = Recent::new(-1, Timestamp::from_millis(0));
        let ids = |step: u64| (0..=u16::MAX).map(move |n| drawn(10_000 + u64::from(n) * step / 16, n));
        for step in [1, 0, 3] {
            for id in ids(step) {
                recent.add(id);
                assert!(!recent.is_new(id));
            }
        }
        // Times that go back, and one far ahead of the others.
        let ahead = drawn(90_000_000, 1);
        recent.add(ahead);
        for id in ids(1) {
            recent.add(id);
        }
        for step in [1, 0, 3] {
            assert!(ids(step).all(|id| !recent.is_new(id)));
        }
        assert!(!recent.is_new(ahead));
        assert!(recent.ids.len() < 200_000);
    }
}
