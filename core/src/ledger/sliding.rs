//! A window that slides: what was charged in the last minute, in cells of a tenth of a second.
//!
//! A charge counts as if it were made at the end of its cell, so rounding only ever refuses. The ring of cells
//! bounds memory whatever the rate of calls is, and still lets a settlement credit the moment of its charge.

use super::ledgers::Ask;
use crate::units::{Millis, Timestamp};
use std::collections::VecDeque;

const CELL: u64 = 100;

/// Charges of the last `span`.
#[derive(Debug, Clone)]
pub(super) struct Sliding {
    quota: u64,
    span: u64,
    /// Number of the oldest cell: its beginning in tenths of a second since the epoch.
    first: u64,
    cells: VecDeque<u64>,
    used: u64,
}

impl Sliding {
    pub(super) fn empty(quota: u64, span: Millis) -> Self {
        Self {
            quota,
            span: span.get(),
            first: 0,
            cells: VecDeque::new(),
            used: 0,
        }
    }

    pub(super) fn set_quota(&mut self, quota: u64) {
        self.quota = quota;
    }

    /// What still counts.
    pub(super) fn used(&self, now: Timestamp) -> u64 {
        let gone: u64 = self.cells.iter().take(self.expired(now)).sum();
        self.used.saturating_sub(gone)
    }

    /// What is left; negative in debt.
    pub(super) fn free(&self, now: Timestamp) -> i128 {
        i128::from(self.quota) - i128::from(self.used(now))
    }

    /// Whether it would be admitted at `at`; what is taken is not let expire. What is larger than others leave of the
    /// quota goes when nothing else counts.
    pub(super) fn admits(&self, at: Timestamp, ask: Ask) -> bool {
        let ask = ask.at_most(self.quota);
        let kept = i128::from(self.kept(at, ask.kept));
        self.free(at) >= ask.of_window(self.used(at)) + kept
    }

    /// When it will be admitted, were what is taken charged now and nothing else happened.
    pub(super) fn earliest(&self, now: Timestamp, ask: Ask) -> Timestamp {
        let ask = ask.at_most(self.quota);
        let over_with = |used: u64| ask.of_window(used) + i128::from(used) - i128::from(self.quota);
        let mut used = self.used;
        let mut over = over_with(used);
        if over <= 0 && ask.kept == 0 {
            return now;
        }
        let mut from = now;
        let charges = (self.first..)
            .zip(&self.cells)
            .filter(|(_, charged)| **charged > 0);
        for (cell, charged) in charges {
            let ends = self.end_of(cell);
            if let Some(at) = self.before_it_ends(over, ask.kept, from, ends) {
                return at;
            }
            used = used.saturating_sub(*charged);
            over = over_with(used);
            from = from.max(ends);
            if over <= 0 && ask.kept == 0 {
                return from;
            }
        }
        if over + i128::from(ask.kept) <= 0 {
            return from;
        }
        // Only once what is taken now has left the window too.
        self.end_of(now.as_millis() / CELL)
    }

    /// How much of `kept` is not to be touched at `at`: the less, the sooner the oldest charge leaves the window.
    fn kept(&self, at: Timestamp, kept: u64) -> u64 {
        if kept == 0 {
            return 0;
        }
        let gone = self.expired(at);
        let counting = (self.first..).zip(&self.cells).skip(gone);
        let oldest = counting.into_iter().find(|(_, charged)| **charged > 0);
        let left = oldest.map_or(self.span, |(cell, _)| self.end_of(cell).since(at).get());
        let part = u128::from(kept) * u128::from(left.min(self.span)) / u128::from(self.span.max(1));
        u64::try_from(part).unwrap_or(kept)
    }

    /// The first moment from `from` on, and before the oldest charge leaves at `ends`, at which so little is kept
    /// back that it goes.
    fn before_it_ends(&self, over: i128, kept: u64, from: Timestamp, ends: Timestamp) -> Option<Timestamp> {
        if over > 0 || kept == 0 || ends <= from {
            return None;
        }
        let spare = over.unsigned_abs();
        // kept × left ÷ span, rounded down, is at most `spare` from then on.
        let left = ((spare + 1) * u128::from(self.span) - 1) / u128::from(kept);
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let at = if left >= self.span {
            from
        } else {
            from.max(ends.before(Millis::new(left)))
        };
        (at < ends).then_some(at)
    }

    pub(super) fn charge(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.advance(now);
        let cell = at.as_millis() / CELL;
        if self.cells.is_empty() {
            self.first = cell;
        }
        if cell < self.first {
            self.prepend(now, cell);
        }
        let Some(place) = self.place(cell) else { return };
        if place >= self.cells.len() {
            self.cells.resize(place + 1, 0);
        }
        self.cells[place] = self.cells[place].saturating_add(amount);
        self.used = self.used.saturating_add(amount);
    }

    /// Takes back what was charged at `at`, unless that has left the window.
    pub(super) fn credit(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.advance(now);
        let place = self.place(at.as_millis() / CELL);
        if let Some(charged) = place.and_then(|place| self.cells.get_mut(place)) {
            let back = amount.min(*charged);
            *charged -= back;
            self.used = self.used.saturating_sub(back);
        }
    }

    /// What still counts, by whole seconds of age, the last second first. A cell counts from its end, as ever.
    pub(super) fn seconds(&self, now: Timestamp) -> Vec<u64> {
        let gone = self.expired(now);
        let mut seconds: Vec<u64> = Vec::new();
        for (cell, charged) in (self.first..).zip(&self.cells).skip(gone) {
            let ends = Timestamp::from_millis(cell.saturating_add(1).saturating_mul(CELL));
            let Ok(age) = usize::try_from(now.since(ends).get() / 1_000) else {
                continue;
            };
            if *charged > 0 {
                seconds.resize(seconds.len().max(age + 1), 0);
                seconds[age] = seconds[age].saturating_add(*charged);
            }
        }
        seconds
    }

    /// Drops what has left the window; each cell is dropped once.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let gone = self.expired(now);
        for charged in self.cells.drain(..gone) {
            self.used = self.used.saturating_sub(charged);
        }
        self.first += gone as u64;
    }

    /// Makes room for a charge that became known late, if it still counts.
    fn prepend(&mut self, now: Timestamp, cell: u64) {
        if self.end_of(cell) <= now {
            return;
        }
        while self.first > cell {
            self.cells.push_front(0);
            self.first -= 1;
        }
    }

    fn place(&self, cell: u64) -> Option<usize> {
        usize::try_from(cell.checked_sub(self.first)?).ok()
    }

    /// When a cell's charges stop counting.
    fn end_of(&self, cell: u64) -> Timestamp {
        Timestamp::from_millis(
            (cell.saturating_add(1))
                .saturating_mul(CELL)
                .saturating_add(self.span),
        )
    }

    /// How many of the oldest cells no longer count at `at`.
    fn expired(&self, at: Timestamp) -> usize {
        let whole = at.as_millis().saturating_sub(self.span) / CELL;
        let gone = whole.saturating_sub(self.first);
        usize::try_from(gone).map_or(self.cells.len(), |gone| gone.min(self.cells.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_beyond_all_numbers_leave_the_window_too() {
        let mut sliding = Sliding::empty(1_000, Millis::from_secs(60));
        let at = |ms: u64| Timestamp::from_millis(1_000_000 + ms);
        for now in [0, 1_000, 2_000] {
            sliding.charge(at(now), at(now), u64::MAX);
        }
        sliding.credit(at(2_000), at(0), u64::MAX);
        sliding.credit(at(2_000), at(1_000), u64::MAX);
        sliding.advance(at(200_000));
        assert_eq!((sliding.used(at(200_000)), sliding.free(at(200_000))), (0, 1_000));
    }
}
