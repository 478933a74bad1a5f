//! Who waits on the connection for which request.
//!
//! Only callers of the synchronous doors count. Whoever merely looks on (a long poll of the job API reads the same
//! log) neither keeps a request alive nor makes a first caller a second one.

use smoother_core::RequestId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The callers of every request that has any, or whose last one may still come back.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<HashMap<RequestId, Count>>);

#[derive(Debug, Default)]
struct Count {
    here: usize,
    /// How many have gone away so far.
    departures: u64,
    /// Whether somebody waits for the last of them to come back.
    awaited: bool,
}

/// One caller's going away; whoever comes or goes later makes it void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Departure(u64);

impl Callers {
    /// One caller more; whether no other is known.
    pub(crate) fn enter(&self, id: RequestId) -> bool {
        let mut all = self.lock();
        let first = !all.contains_key(&id);
        all.entry(id).or_default().here += 1;
        first
    }

    /// One caller less, of whom nothing is expected any more.
    pub(crate) fn leave(&self, id: RequestId) {
        let mut all = self.lock();
        if let Some(count) = all.get_mut(&id) {
            count.here = count.here.saturating_sub(1);
            if count.here == 0 && !count.awaited {
                all.remove(&id);
            }
        }
    }

    /// One caller less, who is waited for: [`Callers::stays_away`] says what became of it. For a caller of a former
    /// process, who never came in here, it is none less.
    pub(crate) fn depart(&self, id: RequestId) -> Departure {
        let mut all = self.lock();
        let count = all.entry(id).or_default();
        count.here = count.here.saturating_sub(1);
        count.departures += 1;
        count.awaited = true;
        Departure(count.departures)
    }

    /// Whether nobody is here and nobody has left since; the request is forgotten then. A caller who left later
    /// has a grace of its own.
    pub(crate) fn stays_away(&self, id: RequestId, departure: Departure) -> bool {
        let mut all = self.lock();
        let Some(count) = all.get_mut(&id).filter(|count| count.departures == departure.0) else {
            return false;
        };
        count.awaited = false;
        let nobody = count.here == 0;
        if nobody {
            all.remove(&id);
        }
        nobody
    }

    /// How many requests have callers, or await one.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RequestId = RequestId::from_bytes([1; 16]);

    #[test]
    fn the_last_to_leave_is_the_one_that_counts() {
        let callers = Callers::default();
        assert!(callers.enter(ID));
        assert!(!callers.enter(ID));
        let first = callers.depart(ID);
        assert!(!callers.stays_away(ID, first), "another is here");
        let second = callers.depart(ID);
        assert!(!callers.stays_away(ID, first));
        assert!(callers.stays_away(ID, second));
        assert_eq!(callers.len(), 0);
    }

    #[test]
    fn whoever_comes_back_ends_the_waiting() {
        let callers = Callers::default();
        callers.enter(ID);
        let gone = callers.depart(ID);
        assert!(!callers.enter(ID), "it is still known");
        assert!(!callers.stays_away(ID, gone));
        callers.leave(ID);
        assert_eq!(callers.len(), 0);
    }

    #[test]
    fn one_that_only_looked_in_does_not_end_it() {
        let callers = Callers::default();
        callers.enter(ID);
        let gone = callers.depart(ID);
        callers.enter(ID);
        callers.leave(ID);
        assert!(callers.stays_away(ID, gone));
    }

    #[test]
    fn a_caller_of_a_former_process_is_awaited_too() {
        let callers = Callers::default();
        let gone = callers.depart(ID);
        assert!(callers.stays_away(ID, gone));
        assert_eq!(callers.len(), 0);
    }
}
