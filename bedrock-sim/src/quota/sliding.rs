//! A window that moves with time.

use std::collections::VecDeque;

use crate::clock::Micros;

/// Counts what was charged within the last `length`, exactly to the microsecond.
#[derive(Debug)]
pub struct SlidingWindow {
    limit: u64,
    length: Micros,
    entries: VecDeque<Entry>,
    used: u64,
}

#[derive(Debug)]
struct Entry {
    at: Micros,
    amount: u64,
}

impl SlidingWindow {
    pub(super) fn new(limit: u64, length: Micros) -> Self {
        Self {
            limit,
            length,
            entries: VecDeque::new(),
            used: 0,
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    fn expire(&mut self, now: Micros) {
        while let Some(oldest) = self.entries.front() {
            if oldest.at + self.length > now {
                break;
            }
            self.used = self.used.saturating_sub(oldest.amount);
            self.entries.pop_front();
        }
    }

    pub(super) fn free(&mut self, now: Micros) -> i128 {
        self.expire(now);
        i128::from(self.limit) - i128::from(self.used)
    }

    pub(super) fn charge(&mut self, now: Micros, amount: u64) {
        self.expire(now);
        self.used = self.used.saturating_add(amount);
        match self.entries.back_mut() {
            Some(newest) if newest.at >= now => {
                newest.amount = newest.amount.saturating_add(amount);
            }
            _ => self.entries.push_back(Entry { at: now, amount }),
        }
    }

    /// A surplus returns to the entry that paid it, if that still counts.
    pub(super) fn credit(&mut self, now: Micros, charged_at: Micros, amount: u64) {
        self.expire(now);
        let found = self.entries.binary_search_by_key(&charged_at, |entry| entry.at);
        if let Ok(index) = found {
            let entry = &mut self.entries[index];
            let returned = amount.min(entry.amount);
            entry.amount -= returned;
            self.used = self.used.saturating_sub(returned);
        }
    }

    pub(super) fn inherit(&mut self, old: Self) {
        self.entries = old.entries;
        self.used = old.used;
    }
}
