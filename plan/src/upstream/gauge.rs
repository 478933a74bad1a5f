//! One limited quantity, tokens or requests.

use super::limiter::{LimiterKind, Ticket};
use smoother_core::{Millis, Timestamp};
use std::collections::VecDeque;

const MINUTE: Millis = Millis::from_secs(60);
/// A quota of `n` a minute refills `n` parts of a token in a millisecond.
const PARTS: i128 = 60_000;

/// What has been used of one quota.
#[derive(Debug, Clone)]
pub(super) enum Gauge {
    Open,
    Bucket {
        rate: i128,
        capacity: i128,
        level: i128,
        at: Timestamp,
    },
    Fixed {
        quota: i128,
        minute: u64,
        used: i128,
    },
    Sliding {
        quota: i128,
        /// When and how much, the oldest first.
        charges: VecDeque<(Timestamp, i128)>,
        /// How many were forgotten: the place of the first one kept.
        forgotten: u64,
        used: i128,
    },
}

impl Gauge {
    pub(super) fn new(kind: LimiterKind, quota: u64) -> Self {
        let quota = i128::from(quota);
        match kind {
            LimiterKind::None => Self::Open,
            LimiterKind::Bucket(span) => {
                let capacity = (quota * i128::from(span.get())).max(PARTS);
                Self::Bucket {
                    rate: quota,
                    capacity,
                    level: capacity,
                    at: Timestamp::EPOCH,
                }
            }
            LimiterKind::Fixed => Self::Fixed {
                quota,
                minute: 0,
                used: 0,
            },
            LimiterKind::Sliding => Self::Sliding {
                quota,
                charges: VecDeque::new(),
                forgotten: 0,
                used: 0,
            },
        }
    }

    pub(super) fn burst(&self) -> u64 {
        let burst = match self {
            Self::Open => return u64::MAX,
            Self::Bucket { capacity, .. } => capacity / PARTS,
            Self::Fixed { quota, .. } | Self::Sliding { quota, .. } => *quota,
        };
        u64::try_from(burst).unwrap_or(u64::MAX)
    }

    fn advance(&mut self, now: Timestamp) {
        match self {
            Self::Open => {}
            Self::Bucket {
                rate,
                capacity,
                level,
                at,
            } => {
                *level = (*level + *rate * i128::from(now.since(*at).get())).min(*capacity);
                *at = (*at).max(now);
            }
            Self::Fixed { minute, used, .. } => {
                let this = now.as_millis() / MINUTE.get();
                if this > *minute {
                    (*minute, *used) = (this, 0);
                }
            }
            Self::Sliding {
                charges,
                forgotten,
                used,
                ..
            } => {
                while let Some((_, amount)) = charges.pop_front_if(|(at, _)| *at + MINUTE <= now) {
                    *used -= amount;
                    *forgotten += 1;
                }
            }
        }
    }

    pub(super) fn admits(&mut self, now: Timestamp, amount: u64) -> bool {
        self.advance(now);
        let amount = i128::from(amount);
        match self {
            Self::Open => true,
            Self::Bucket { level, .. } => amount * PARTS <= *level,
            Self::Fixed { quota, used, .. } | Self::Sliding { quota, used, .. } => *used + amount <= *quota,
        }
    }

    pub(super) fn charge(&mut self, now: Timestamp, amount: u64) -> Ticket {
        self.advance(now);
        let amount = i128::from(amount);
        let mut place = 0;
        match self {
            Self::Open => {}
            Self::Bucket { level, .. } => *level -= amount * PARTS,
            Self::Fixed { used, .. } => *used += amount,
            Self::Sliding {
                charges,
                forgotten,
                used,
                ..
            } => {
                place = *forgotten + charges.len() as u64;
                charges.push_back((now, amount));
                *used += amount;
            }
        }
        Ticket { at: now, place }
    }

    pub(super) fn correct(&mut self, now: Timestamp, ticket: Ticket, charged: u64, actual: u64) {
        self.advance(now);
        let more = i128::from(actual) - i128::from(charged);
        match self {
            Self::Open => {}
            Self::Bucket { capacity, level, .. } => *level = (*level - more * PARTS).min(*capacity),
            Self::Fixed { minute, used, .. } => {
                if ticket.at.as_millis() / MINUTE.get() == *minute {
                    *used += more;
                }
            }
            Self::Sliding {
                charges,
                forgotten,
                used,
                ..
            } => {
                let kept = ticket
                    .place
                    .checked_sub(*forgotten)
                    .and_then(|place| usize::try_from(place).ok());
                if let Some((_, amount)) = kept.and_then(|place| charges.get_mut(place)) {
                    *amount += more;
                    *used += more;
                }
            }
        }
    }

    /// When `amount` is admitted if nothing else comes; what is larger than the quota's burst goes when that is whole.
    pub(super) fn earliest(&mut self, now: Timestamp, amount: u64) -> Timestamp {
        self.advance(now);
        let amount = i128::from(amount.min(self.burst()));
        match self {
            Self::Open => now,
            Self::Bucket { rate, level, .. } => {
                let missing = (amount * PARTS - *level).max(0);
                let wait = (missing + *rate - 1) / (*rate).max(1);
                now + Millis::new(u64::try_from(wait).unwrap_or(u64::MAX))
            }
            Self::Fixed { quota, minute, used } => {
                if *used + amount <= *quota {
                    now
                } else {
                    Timestamp::from_millis((*minute + 1).saturating_mul(MINUTE.get()))
                }
            }
            Self::Sliding {
                quota, charges, used, ..
            } => {
                let mut free = *quota - *used;
                let mut at = now;
                for (charged, cost) in charges {
                    if amount <= free {
                        break;
                    }
                    free += *cost;
                    at = *charged + MINUTE;
                }
                at
            }
        }
    }
}
