//! Who waits on the connection for which request.
//!
//! Only callers of the synchronous doors count. Whoever merely looks on (a long poll of the job API reads the same
//! log) neither keeps a request alive nor makes a first caller a second one.

use smoother_core::RequestId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::{CancellationToken, DropGuard};

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
    /// The request is being given up just now; cancelled when that is done.
    giving_up: Option<CancellationToken>,
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

    /// Whether nobody is here and nobody has left since: then the request is to be given up, and whoever comes
    /// meanwhile waits ([`Callers::not_given_up`]) until the answer is dropped. A caller who left later has a grace
    /// of its own.
    pub(crate) fn stays_away(&self, id: RequestId, departure: Departure) -> Option<GivingUp<'_>> {
        let mut all = self.lock();
        let count = all.get_mut(&id).filter(|count| count.departures == departure.0)?;
        count.awaited = false;
        if count.here > 0 {
            return None;
        }
        let over = CancellationToken::new();
        count.giving_up = Some(over.clone());
        Some(GivingUp {
            callers: self,
            id,
            _over: over.drop_guard(),
        })
    }

    /// Resolves once the request is not, or no longer, being given up: its row then says what became of it.
    pub(crate) async fn not_given_up(&self, id: RequestId) {
        let over = self.lock().get(&id).and_then(|count| count.giving_up.clone());
        if let Some(over) = over {
            over.cancelled().await;
        }
    }

    /// How many requests have callers, or await one.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request is being given up as long as this lives.
#[derive(Debug)]
pub(crate) struct GivingUp<'a> {
    callers: &'a Callers,
    id: RequestId,
    /// Dropped after the count was put right.
    _over: DropGuard,
}

impl Drop for GivingUp<'_> {
    fn drop(&mut self) {
        let mut all = self.callers.lock();
        if let Some(count) = all.get_mut(&self.id) {
            count.giving_up = None;
            if count.here == 0 && !count.awaited {
                all.remove(&self.id);
            }
        }
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
        assert!(callers.stays_away(ID, first).is_none(), "another is here");
        let second = callers.depart(ID);
        assert!(callers.stays_away(ID, first).is_none());
        assert!(callers.stays_away(ID, second).is_some());
        assert_eq!(callers.len(), 0);
    }

    #[test]
    fn whoever_comes_back_ends_the_waiting() {
        let callers = Callers::default();
        callers.enter(ID);
        let gone = callers.depart(ID);
        assert!(!callers.enter(ID), "it is still known");
        assert!(callers.stays_away(ID, gone).is_none());
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
        assert!(callers.stays_away(ID, gone).is_some());
    }

    #[test]
    fn a_caller_of_a_former_process_is_awaited_too() {
        let callers = Callers::default();
        let gone = callers.depart(ID);
        assert!(callers.stays_away(ID, gone).is_some());
        assert_eq!(callers.len(), 0);
    }

    #[tokio::test]
    async fn whoever_comes_while_it_is_given_up_waits_for_that() {
        let callers = Callers::default();
        callers.enter(ID);
        let gone = callers.depart(ID);
        let giving_up = callers.stays_away(ID, gone).unwrap();
        assert!(!callers.enter(ID), "it is still known");
        let waiting = callers.not_given_up(ID);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(giving_up);
        waiting.await;
        callers.not_given_up(ID).await;
        assert_eq!(callers.len(), 1, "the one who came is here");
        callers.leave(ID);
        assert_eq!(callers.len(), 0);
    }
}
