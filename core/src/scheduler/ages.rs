//! The oldest request that waits, without looking at all of them.

use super::entry::Table;
use crate::units::Timestamp;
use std::collections::{BTreeSet, VecDeque};

/// Arrivals of one band in order of time; those that no longer wait are dropped when they come to the front,
/// or when they are more than half of all.
#[derive(Debug, Default)]
pub(super) struct Ages {
    arrivals: VecDeque<Arrival>,
    /// Those added after later ones, as what comes back from a call is: few, or in no order at all.
    late: BTreeSet<Arrival>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Timestamp,
    slot: u32,
    filling: u32,
}

impl Arrival {
    fn waits(&self, table: &Table) -> bool {
        table.filling(self.slot) == self.filling
            && table.get(self.slot).is_some_and(super::entry::Entry::waits)
    }
}

impl Ages {
    pub(super) fn add(&mut self, at: Timestamp, slot: u32, table: &Table, waiting: u64) {
        let filling = table.filling(slot);
        let arrival = Arrival { at, slot, filling };
        let most = 2 * waiting + 64;
        if self.arrivals.back().is_some_and(|last| last.at > at) {
            if self.late.len() as u64 > most {
                self.late.retain(|arrival| arrival.waits(table));
            }
            self.late.insert(arrival);
            return;
        }
        if self.arrivals.len() as u64 > most {
            self.arrivals.retain(|arrival| arrival.waits(table));
        }
        if self.arrivals.len() == self.arrivals.capacity() {
            // By a quarter, as the table grows.
            self.arrivals.reserve_exact(self.arrivals.len() / 4 + 64);
        }
        self.arrivals.push_back(arrival);
    }

    /// Drops from the front what no longer waits.
    pub(super) fn trim(&mut self, table: &Table) {
        while self.arrivals.front().is_some_and(|first| !first.waits(table)) {
            self.arrivals.pop_front();
        }
        while self.late.first().is_some_and(|first| !first.waits(table)) {
            self.late.pop_first();
        }
    }

    pub(super) fn oldest(&self, table: &Table) -> Option<Timestamp> {
        let first = self.arrivals.iter().find(|arrival| arrival.waits(table));
        let late = self.late.iter().find(|arrival| arrival.waits(table));
        first.into_iter().chain(late).map(|arrival| arrival.at).min()
    }
}
