//! When a waiting request is expected to go.
//!
//! What stands before it is counted by shares. While its tenant's `a` tokens before it are served, every other
//! tenant of the band is served its weight's part of as much, or all it has if that is less; together the
//! others are taken as one, so that the answer costs the same with ten thousand tenants:
//!
//! ```text
//! band  = a + min(others' tokens, a' × others' weight / own weight)      a' = a + its own cost
//! ahead = band + Σ over other bands min(their tokens, band' × their weight / own band's weight)
//! start = the later of: when the ledger admits it alone, now + (ahead − free) / quota a minute, and, where as many
//!         calls are under way as may be, when as many have ended as it needs: calls × their mean span / concurrency
//! ```

use super::entry::Standing;
use super::fairness::Backlog;
use super::lane::Scheduler;
use super::view::Forecast;
use crate::ids::RequestId;
use crate::request::Priority;
use crate::units::{Millis, Timestamp};

/// Requests and the tokens they are expected to cost.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    requests: u64,
    tokens: u64,
}

impl Work {
    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    /// As much of `all` as is served while `tokens` are served at another weight.
    fn part(all: Self, tokens: u64, weight: u64, to: u64) -> Self {
        let served = scaled(tokens, weight, to);
        if served >= all.tokens {
            return all;
        }
        Self {
            requests: scaled(all.requests, served, all.tokens),
            tokens: served,
        }
    }
}

impl Scheduler {
    /// Where a waiting request stands; `None` where it does not wait here.
    pub fn forecast(&self, now: Timestamp, id: RequestId) -> Option<Forecast> {
        let now = now.max(self.now);
        let entry = self.table.get(self.table.find(id)?)?;
        if !entry.waits() {
            return None;
        }
        let flow = self.shares.flow(entry.flow)?;
        let (requests, tokens) = flow.line.before(entry.place());
        let in_line = entry.standing == Standing::Waiting;
        let mine = Work {
            requests,
            tokens: tokens.get(),
        };
        let own = if in_line { entry.expected.get() } else { 0 };
        let all = Work::of(self.shares.backlog(flow.priority));
        let line = Work {
            requests: flow.line.len() as u64,
            tokens: flow.line.tokens().get(),
        };
        let others = Work {
            requests: all.requests.saturating_sub(line.requests),
            tokens: all.tokens.saturating_sub(line.tokens),
        };
        let weight = u64::from(flow.terms.weight);
        let others_weight = self.shares.backlog(flow.priority).weight.saturating_sub(weight);
        let band = mine.plus(Work::part(
            others,
            mine.tokens.saturating_add(own),
            others_weight,
            weight,
        ));
        let ahead = self.with_other_bands(flow.priority, band, own);
        let start = self
            .reached(now, ahead)
            .max(self.ledger.earliest(now, entry.reserve))
            .max(entry.not_before);
        Some(Forecast {
            position: ahead.requests.saturating_add(1),
            start,
        })
    }

    fn with_other_bands(&self, own: Priority, band: Work, own_tokens: u64) -> Work {
        let served = band.tokens.saturating_add(own_tokens);
        Priority::ALL
            .into_iter()
            .filter(|priority| *priority != own)
            .map(|priority| {
                let all = Work::of(self.shares.backlog(priority));
                let weight = self.shares.band_weight(priority);
                Work::part(all, served, weight, self.shares.band_weight(own))
            })
            .fold(band, Work::plus)
    }

    /// When the quota has let this much go, beside what it has free, and so many calls have made room.
    fn reached(&self, now: Timestamp, ahead: Work) -> Timestamp {
        let tokens = self.ledger.tokens_view(now);
        let by_tokens = wait(ahead.tokens.saturating_sub(tokens.free), tokens.limit);
        let by_requests = self.ledger.requests_view(now).map_or(Millis::ZERO, |requests| {
            wait(ahead.requests.saturating_sub(requests.free), requests.limit)
        });
        now + by_tokens.max(by_requests).max(self.until_ended(now, ahead))
    }

    /// How long until so many calls have ended that this much and one more can be under way.
    fn until_ended(&self, now: Timestamp, ahead: Work) -> Millis {
        let calls = self.ledger.concurrency_view(now);
        let ends = ahead.requests.saturating_add(1).saturating_sub(calls.free);
        let at_once = calls.used.saturating_add(calls.free).max(1);
        Millis::new(scaled(self.span.mean().get(), ends, at_once))
    }
}

impl Work {
    fn of(backlog: Backlog) -> Self {
        Self {
            requests: backlog.requests,
            tokens: backlog.tokens.get(),
        }
    }
}

fn wait(amount: u64, a_minute: u64) -> Millis {
    Millis::new(scaled(amount, 60_000, a_minute))
}

fn scaled(amount: u64, by: u64, of: u64) -> u64 {
    let exact = u128::from(amount) * u128::from(by) / u128::from(of.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}
