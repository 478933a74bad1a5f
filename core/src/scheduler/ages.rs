//! The oldest request that waits, without looking at all of them.

use super::entry::Table;
use crate::units::Timestamp;
use std::collections::VecDeque;

/// Arrivals of one band in order of time; those that no longer wait are dropped when they come to the front,
/// or when they are more than half of all.
#[derive(Debug, Default)]
pub(super) struct Ages {
    arrivals: VecDeque<Arrival>,
}

#[derive(Debug, Clone, Copy)]
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
        if self.arrivals.len() as u64 > 2 * waiting + 64 {
            self.arrivals.retain(|arrival| arrival.waits(table));
        }
        let filling = table.filling(slot);
        let after = self.arrivals.back().is_none_or(|last| last.at <= at);
        let index = if after {
            self.arrivals.len()
        } else {
            self.arrivals.partition_point(|other| other.at <= at)
        };
        self.arrivals.insert(index, Arrival { at, slot, filling });
    }

    /// Drops from the front what no longer waits.
    pub(super) fn trim(&mut self, table: &Table) {
        while self.arrivals.front().is_some_and(|first| !first.waits(table)) {
            self.arrivals.pop_front();
        }
    }

    pub(super) fn oldest(&self, table: &Table) -> Option<Timestamp> {
        let first = self.arrivals.iter().find(|arrival| arrival.waits(table))?;
        Some(first.at)
    }
}
