//! Tokens of a UTC day, and the park after a refusal that names the day.

use super::CallKey;
use crate::ports::DayCount;
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};

const DAY: u64 = 86_400_000;
/// A parked lane sends one call this often to see whether the day has turned upstream.
const PROBE_EVERY: Millis = Millis::from_secs(60 * 60);

pub(super) fn day_of(at: Timestamp) -> u64 {
    at.as_millis() / DAY
}

fn next_day(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(day_of(at).saturating_add(1).saturating_mul(DAY))
}

/// The day's counter. It counts without a limit too, for reports.
#[derive(Debug, Clone)]
pub(super) struct Day {
    limit: Option<u64>,
    day: u64,
    /// Charged to calls that are over.
    settled: u64,
    /// Reserved by calls that are not.
    open: u64,
}

impl Day {
    pub(super) fn new(limit: Option<u64>, now: Timestamp) -> Self {
        Self {
            limit,
            day: day_of(now),
            settled: 0,
            open: 0,
        }
    }

    pub(super) fn set_limit(&mut self, limit: Option<u64>) {
        self.limit = limit;
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Begins a new day when it is one; `undated` is reserved by calls that have not started.
    pub(super) fn turn(&mut self, now: Timestamp, undated: u64) {
        if day_of(now) > self.day {
            self.day = day_of(now);
            self.settled = 0;
            self.open = undated;
        }
    }

    pub(super) fn restore(&mut self, count: DayCount) {
        if count.day == self.day {
            self.settled = self.settled.max(count.tokens.get());
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.settled.saturating_add(self.open)
    }

    /// What is left of the limit whatever the calls under way turn out to cost.
    pub(super) fn left(&self, now: Timestamp) -> Option<u64> {
        let settled = if day_of(now) > self.day { 0 } else { self.settled };
        self.limit.map(|limit| limit.saturating_sub(settled))
    }

    /// When the next one begins, where nothing is left.
    pub(super) fn used_up_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.left(now) == Some(0)).then(|| next_day(now))
    }

    pub(super) fn count(&self) -> DayCount {
        DayCount {
            day: self.day,
            tokens: Tokens::new(self.settled),
        }
    }

    /// When `amount` will be admitted, were `extra` taken now.
    pub(super) fn earliest(&self, now: Timestamp, amount: u64, extra: u64) -> Timestamp {
        let taken = if day_of(now) > self.day { 0 } else { self.used() };
        let wanted = taken.saturating_add(extra).saturating_add(amount);
        match self.limit {
            Some(limit) if wanted > limit => next_day(now),
            _ => now,
        }
    }

    pub(super) fn hold(&mut self, amount: u64) {
        self.open = self.open.saturating_add(amount);
    }

    /// Ends a reservation that was charged at `at` (or never: `None`) with what it has cost.
    pub(super) fn settle(&mut self, at: Option<Timestamp>, reserved: u64, actual: u64) {
        if at.is_none_or(|at| day_of(at) >= self.day) {
            self.open = self.open.saturating_sub(reserved);
            self.settled = self.settled.saturating_add(actual);
        } else {
            // Charged to a day that is over; only what it cost above that is today's.
            self.settled = self.settled.saturating_add(actual.saturating_sub(reserved));
        }
    }

    /// Counts a call of before a restart that is over.
    pub(super) fn count_settled(&mut self, at: Timestamp, actual: u64) {
        if day_of(at) == self.day {
            self.settled = self.settled.saturating_add(actual);
        }
    }

    /// Counts a call of before a restart that is not over.
    pub(super) fn count_open(&mut self, at: Timestamp, reserved: u64) {
        if day_of(at) == self.day {
            self.open = self.open.saturating_add(reserved);
        }
    }
}

/// After a refusal that names the day: nothing goes until the day turns, but for one probe an hour.
#[derive(Debug, Clone, Default)]
pub(super) struct Park(Option<Parked>);

#[derive(Debug, Clone)]
struct Parked {
    until: Timestamp,
    next_probe: Timestamp,
    probe: Option<CallKey>,
}

/// A park as one holder leaves it to the next: it ends with the day of the snapshot it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ParkSnapshot {
    #[serde(rename = "i")]
    probe_in: Millis,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    probe: Option<CallKey>,
}

impl Park {
    pub(super) fn snapshot(&self, now: Timestamp) -> Option<ParkSnapshot> {
        let parked = self.0.as_ref().filter(|parked| parked.until > now)?;
        Some(ParkSnapshot {
            probe_in: parked.next_probe.since(now),
            probe: parked.probe,
        })
    }

    /// Takes up a park of the day that it still is.
    pub(super) fn resume(&mut self, now: Timestamp, left: ParkSnapshot, away: Millis) {
        self.0 = Some(Parked {
            until: next_day(now),
            next_probe: now + left.probe_in.saturating_sub(away),
            probe: left.probe,
        });
    }

    /// For keeping: until when, and when the next probe may go. What became of one that is under way is told to nobody
    /// who takes this up; another may go then.
    pub(super) fn kept(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let parked = self.0.as_ref().filter(|parked| parked.until > now)?;
        Some((parked.until, parked.next_probe))
    }

    /// As it was kept. Not for longer than a refusal now would: clocks are set.
    pub(super) fn known(now: Timestamp, kept: Option<(Timestamp, Timestamp)>) -> Self {
        let kept = kept.filter(|(until, _)| *until > now);
        Self(kept.map(|(until, next_probe)| Parked {
            until: until.min(next_day(now)),
            next_probe: next_probe.min(now + PROBE_EVERY),
            probe: None,
        }))
    }

    /// Until when nothing but a probe goes.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let parked = self.0.as_ref()?;
        (parked.until > now).then_some(parked.until)
    }

    /// When the next call may go: now, at the next probe, or when the day turns.
    pub(super) fn opens(&self, now: Timestamp) -> Timestamp {
        match &self.0 {
            Some(parked) if parked.until > now => {
                if parked.probe.is_some() {
                    parked.until
                } else {
                    parked.next_probe.max(now).min(parked.until)
                }
            }
            _ => now,
        }
    }

    /// A call goes: while parked, it is the probe.
    pub(super) fn goes(&mut self, now: Timestamp, key: CallKey) {
        if let Some(parked) = self.0.as_mut().filter(|parked| parked.until > now) {
            parked.probe = Some(key);
        }
    }

    /// A call refused for the day.
    pub(super) fn refused(&mut self, now: Timestamp) {
        self.0 = Some(Parked {
            until: next_day(now),
            next_probe: now + PROBE_EVERY,
            probe: None,
        });
    }

    /// A call that was not refused for the day is over, or (`ran` false) never ran.
    pub(super) fn over(&mut self, key: CallKey, ran: bool) {
        let Some(parked) = self.0.as_mut().filter(|parked| parked.probe == Some(key)) else {
            return;
        };
        parked.probe = None;
        if ran {
            self.0 = None;
        }
    }
}
