//! A limit per minute as an upstream counts it: a token bucket, a fixed window, or a sliding window. Times are seconds.

use std::collections::VecDeque;

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A bucket that holds so many seconds of the rate.
    Bucket {
        /// Its capacity.
        seconds: f64,
    },
    /// A minute that begins anew, so many seconds before the run's start.
    Fixed {
        /// How far into its minute it is at the start.
        phase: f64,
    },
    /// The last minute.
    Sliding,
}

/// A limit and what it has counted.
#[derive(Debug, Clone)]
pub struct Limit {
    kind: Kind,
    per_minute: f64,
    /// Bucket: what is in it, at `at`. Fixed window: what the window that began at `at` has taken.
    level: f64,
    at: f64,
    /// Sliding window: what was charged when, and by which call.
    charges: VecDeque<Charge>,
    taken: f64,
}

#[derive(Debug, Clone, Copy)]
struct Charge {
    at: f64,
    call: usize,
    amount: f64,
}

impl Limit {
    /// Full at the start.
    pub fn new(kind: Kind, per_minute: f64) -> Self {
        let (level, at) = match kind {
            Kind::Bucket { seconds } => (per_minute * seconds / 60.0, 0.0),
            Kind::Fixed { phase } => (0.0, -phase),
            Kind::Sliding => (0.0, 0.0),
        };
        Self {
            kind,
            per_minute,
            level,
            at,
            charges: VecDeque::new(),
            taken: 0.0,
        }
    }

    /// Whether it has room for so much now; if not, the earliest time at which it may have, should nothing be given back.
    pub fn room(&mut self, now: f64, amount: f64) -> Result<(), f64> {
        self.advance(now);
        match self.kind {
            Kind::Bucket { .. } if self.level >= amount => Ok(()),
            Kind::Bucket { .. } => Err(now + (amount - self.level) * 60.0 / self.per_minute),
            Kind::Fixed { .. } if self.level + amount <= self.per_minute => Ok(()),
            Kind::Fixed { .. } => Err(self.at + 60.0),
            Kind::Sliding if self.taken + amount <= self.per_minute => Ok(()),
            Kind::Sliding => Err(self.charges.front().map_or(now, |charge| charge.at) + 60.0),
        }
    }

    /// Whether it can ever have room for so much.
    pub fn fits(&self, amount: f64) -> bool {
        match self.kind {
            Kind::Bucket { seconds } => amount <= self.per_minute * seconds / 60.0,
            Kind::Fixed { .. } | Kind::Sliding => amount <= self.per_minute,
        }
    }

    /// Charges a call's reservation.
    pub fn charge(&mut self, now: f64, call: usize, amount: f64) {
        self.advance(now);
        match self.kind {
            Kind::Bucket { .. } => self.level -= amount,
            Kind::Fixed { .. } => self.level += amount,
            Kind::Sliding => {
                self.taken += amount;
                self.charges.push_back(Charge {
                    at: now,
                    call,
                    amount,
                });
            }
        }
    }

    /// Corrects a call's reservation to what it cost in the end: a surplus goes back to when it was charged, an excess is
    /// charged now.
    pub fn settle(&mut self, now: f64, call: usize, charged_at: f64, more: f64) {
        self.advance(now);
        if more > 0.0 {
            self.charge(now, call, more);
            return;
        }
        match self.kind {
            Kind::Bucket { seconds } => {
                self.level = (self.level - more).min(self.per_minute * seconds / 60.0);
            }
            Kind::Fixed { .. } if charged_at >= self.at => self.level += more,
            Kind::Fixed { .. } => {}
            Kind::Sliding => {
                if let Some(charge) = self.charges.iter_mut().find(|charge| charge.call == call) {
                    charge.amount += more;
                    self.taken += more;
                }
            }
        }
    }

    fn advance(&mut self, now: f64) {
        match self.kind {
            Kind::Bucket { seconds } => {
                let capacity = self.per_minute * seconds / 60.0;
                self.level = (self.level + (now - self.at).max(0.0) * self.per_minute / 60.0).min(capacity);
                self.at = now;
            }
            Kind::Fixed { .. } => {
                while now >= self.at + 60.0 {
                    self.at += 60.0;
                    self.level = 0.0;
                }
            }
            Kind::Sliding => {
                while let Some(charge) = self.charges.front().filter(|charge| charge.at + 60.0 <= now) {
                    self.taken -= charge.amount;
                    self.charges.pop_front();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_capacity_at_once_and_then_the_rate() {
        let mut limit = Limit::new(Kind::Bucket { seconds: 10.0 }, 600.0);
        assert!(limit.fits(100.0) && !limit.fits(101.0));
        assert_eq!(limit.room(0.0, 100.0), Ok(()));
        limit.charge(0.0, 1, 100.0);
        assert_eq!(limit.room(0.0, 50.0), Err(5.0));
        limit.settle(1.0, 1, 0.0, -40.0);
        assert_eq!(limit.room(1.0, 50.0), Ok(()));
    }

    #[test]
    fn a_fixed_window_begins_anew_and_keeps_what_comes_back_too_late() {
        let mut limit = Limit::new(Kind::Fixed { phase: 50.0 }, 600.0);
        limit.charge(0.0, 1, 600.0);
        assert_eq!(limit.room(1.0, 1.0), Err(10.0));
        assert_eq!(limit.room(10.0, 600.0), Ok(()));
        limit.charge(10.0, 2, 600.0);
        limit.settle(11.0, 1, 0.0, -600.0);
        assert_eq!(limit.room(11.0, 1.0), Err(70.0));
        limit.settle(12.0, 2, 10.0, -100.0);
        assert_eq!(limit.room(12.0, 100.0), Ok(()));
    }

    #[test]
    fn a_sliding_window_forgets_a_charge_a_minute_after_it() {
        let mut limit = Limit::new(Kind::Sliding, 600.0);
        limit.charge(0.0, 1, 400.0);
        limit.charge(5.0, 2, 200.0);
        assert_eq!(limit.room(6.0, 100.0), Err(60.0));
        assert_eq!(limit.room(60.0, 400.0), Ok(()));
        limit.settle(60.5, 2, 5.0, -50.0);
        assert_eq!(limit.room(60.5, 450.0), Ok(()));
        assert_eq!(limit.room(60.5, 451.0), Err(65.0));
    }
}
