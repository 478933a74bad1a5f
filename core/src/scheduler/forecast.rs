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
//!         calls are under way as may be, when as many have ended as it needs: calls × their mean span / concurrency;
//!         the same again for its tenant's calls at once, if they are limited
//! ```
//!
//! What stands ahead is taken for as much as the lane's last calls have cost of what was expected ([`Spend`]).
//!
//! Beside it stands the moment before which it will not go **at best**, by which a request is refused that cannot be in
//! time. It must not be refused if it could have been, so every doubt counts for it: half of what stands ahead goes away
//! unserved, or costs half of what the last calls did; a whole minute's quota is free now; calls take half as long; and
//! where it can go before its turn, near its end ([`super::urgent`]), only those of its band stand ahead of it whose own
//! limit passes earlier. Where nothing is known yet of what calls cost and how long they take, those say nothing.
//!
//! [`Spend`]: super::spend::Spend

use super::Waiting;
use super::entry::{Entry, Standing};
use super::fairness::Backlog;
use super::lane::Scheduler;
use super::line::{Line, Place};
use super::view::Forecast;
use crate::ids::{CallNo, RequestId};
use crate::request::Priority;
use crate::units::{Millis, Timestamp, Tokens};

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

/// One that waits, or would.
struct Prospect {
    priority: Priority,
    /// Its tenant's flow in its band, if there is one.
    flow: Option<u32>,
    weight: u64,
    /// Requests before it in its own line.
    mine: Work,
    /// What it is expected to cost; nothing, while it is not in line.
    own: u64,
    reserve: Tokens,
    /// Its place by its own limit, if it has one.
    limit: Option<Place>,
    not_before: Timestamp,
}

impl Scheduler {
    /// Where a waiting request stands; `None` where it does not wait here.
    pub fn forecast(&self, now: Timestamp, id: RequestId) -> Option<Forecast> {
        let entry = self.table.get(self.table.find(id)?)?;
        if !entry.waits() {
            return None;
        }
        let flow = self.shares.flow(entry.flow)?;
        let in_line = entry.standing == Standing::Waiting;
        Some(self.expect(
            now.max(self.now),
            &Prospect {
                priority: flow.priority,
                flow: Some(entry.flow),
                weight: u64::from(flow.terms.weight),
                mine: Work::before(&flow.line, entry.place()),
                own: if in_line { entry.expected().get() } else { 0 },
                reserve: entry.reserve,
                limit: entry.limit(),
                not_before: entry.not_before,
            },
        ))
    }

    /// Where a new request would stand.
    pub(super) fn forecast_of(&self, now: Timestamp, newcomer: &Waiting) -> Forecast {
        let flow = self.shares.flow_of(newcomer.priority, &newcomer.tenant);
        let entry = Entry::new(newcomer, Entry::NO_FLOW);
        let line = flow.and_then(|flow| self.shares.flow(flow));
        self.expect(
            now.max(self.now),
            &Prospect {
                priority: newcomer.priority,
                flow,
                weight: u64::from(self.config.terms(&newcomer.tenant).weight),
                mine: line.map_or_else(Work::default, |flow| Work::before(&flow.line, entry.place())),
                own: newcomer.expected.get(),
                reserve: newcomer.reserve,
                limit: entry.limit(),
                not_before: newcomer.not_before.unwrap_or(Timestamp::EPOCH),
            },
        )
    }

    /// Notes when a request that came and has to wait is expected to go, for how good that was.
    pub(super) fn foretell(&mut self, id: RequestId) {
        let forecast = self.forecast(self.now, id);
        let slot = self.table.find(id).filter(|_| forecast.is_some());
        if let Some(entry) = slot.and_then(|slot| self.table.get_mut(slot))
            && entry.foretold == Timestamp::NEVER
        {
            entry.foretold = forecast.map_or(Timestamp::NEVER, |forecast| forecast.start);
        }
    }

    /// When a released request whose first call this is was expected to start as it came, and its priority; `None` where
    /// it did not have to wait, or that is not known.
    pub fn foretold(&self, id: RequestId, call: CallNo) -> Option<(Priority, Timestamp)> {
        let entry = self.table.get(self.table.find(id)?)?;
        let is_it = entry.standing == Standing::Released && entry.call == call;
        let priority = self.shares.flow(entry.flow)?.priority;
        Some((priority, entry.foretold)).filter(|(_, at)| is_it && *at != Timestamp::NEVER)
    }

    /// The moment before which nobody goes, even if all goes better than it looks.
    pub(super) fn opens_at_best(&self, now: Timestamp) -> Timestamp {
        let shut = self.breaker.opens().unwrap_or(now).max(now);
        if self.ledger.under_way() > 0 {
            return shut;
        }
        shut.max(self.ledger.earliest(now, Tokens::new(1)))
    }

    /// The moment before which the smallest request does not go that would stand where this one does.
    pub(super) fn best_behind(&self, now: Timestamp, flow: u32, entry: &Entry) -> Timestamp {
        let line = self.shares.flow(flow).map(|it| &it.line);
        let mine = line.map_or_else(Work::default, |line| Work::before(line, entry.place()));
        self.best_after(now, flow, mine, entry.due, entry.id)
    }

    /// The same of one that would stand behind all of a flow, what is beyond the window too.
    pub(super) fn best_beyond(&self, now: Timestamp, flow: u32) -> Timestamp {
        let Some(it) = self.shares.flow(flow) else {
            return now;
        };
        let (requests, tokens) = (it.line.len() as u64, it.line.tokens().get());
        let beyond = it.beyond.load.requests;
        let mine = Work {
            requests: requests.saturating_add(beyond),
            tokens: tokens.saturating_add(scaled(tokens, beyond, requests)),
        };
        self.best_after(
            now,
            flow,
            mine,
            it.beyond.last,
            RequestId::from_bytes([u8::MAX; 16]),
        )
    }

    fn best_after(&self, now: Timestamp, flow: u32, mine: Work, due: Timestamp, id: RequestId) -> Timestamp {
        let Some(it) = self.shares.flow(flow) else {
            return now;
        };
        let prospect = Prospect {
            priority: it.priority,
            flow: Some(flow),
            weight: u64::from(it.terms.weight),
            mine,
            own: 0,
            reserve: Tokens::new(1),
            limit: Some(Place::new(false, due, id)),
            not_before: Timestamp::EPOCH,
        };
        self.expect(now, &prospect).earliest
    }

    fn expect(&self, now: Timestamp, one: &Prospect) -> Forecast {
        let all = self.shares.backlog(one.priority);
        let line = one
            .flow
            .and_then(|flow| self.shares.flow(flow))
            .map(|flow| &flow.line);
        let of_line = line.map_or_else(Work::default, |line| Work {
            requests: line.len() as u64,
            tokens: line.tokens().get(),
        });
        // A tenant of which nothing stands in line has no part in the band's weight.
        let counted = line.is_some_and(|line| !line.is_empty());
        let others_weight = all.weight.saturating_sub(if counted { one.weight } else { 0 });
        let others = Work {
            requests: all.requests.saturating_sub(of_line.requests),
            tokens: all.tokens.get().saturating_sub(of_line.tokens),
        };
        let served = one.mine.tokens.saturating_add(one.own);
        let band = one
            .mine
            .plus(Work::part(others, served, others_weight, one.weight));
        let ahead = self.with_other_bands(one.priority, band, one.own);
        let shut = self.breaker.opens().unwrap_or(now);
        let start = self
            .reached(now, ahead)
            .max(now + self.until_below_cap(one.flow, one.mine.requests, self.span.mean()))
            .max(self.ledger.earliest(now, one.reserve))
            .max(shut)
            .max(one.not_before);
        let earliest = self.at_best(now, one, ahead).max(shut).max(one.not_before);
        Forecast {
            position: ahead.requests.saturating_add(1),
            start,
            earliest: earliest.min(start),
        }
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
        let cost = self.spend.of(ahead.tokens).unwrap_or(ahead.tokens);
        let by_tokens = wait(cost.saturating_sub(tokens.free), tokens.limit);
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

    /// How long until a tenant that may have so many calls at once can have one more, after so many of its requests.
    fn until_below_cap(&self, flow: Option<u32>, requests: u64, span: Millis) -> Millis {
        let Some((under_way, most)) = flow.and_then(|flow| self.shares.calls_of(flow)) else {
            return Millis::ZERO;
        };
        let ends = (u64::from(under_way) + requests + 1).saturating_sub(u64::from(most));
        Millis::new(scaled(span.get(), ends, u64::from(most)))
    }

    /// The moment before which it will not go even if all goes better than it looks.
    fn at_best(&self, now: Timestamp, one: &Prospect, ahead: Work) -> Timestamp {
        // Nothing is under way that could cost less than it holds.
        let opens = if self.ledger.under_way() == 0 {
            self.ledger.earliest(now, Tokens::new(1))
        } else {
            now
        };
        let span = self.span.measured().map_or(Millis::ZERO, half);
        let pass = self.would_pass(one);
        let tokens = ahead.tokens.min(pass.tokens);
        let requests = ahead.requests.min(pass.requests) / 2;
        let quota = self.config.lane.tokens_per_minute.get();
        let cost = self.spend.of(tokens).unwrap_or(0).min(tokens) / 2;
        let by_tokens = wait(cost.saturating_sub(quota), quota);
        let by_requests = self.ledger.requests_view(now).map_or(Millis::ZERO, |view| {
            wait(requests.saturating_sub(view.limit), view.limit)
        });
        let at_once = u64::from(self.config.lane.max_concurrency).max(1);
        let by_ends = Millis::new(scaled(span.get(), requests.saturating_sub(at_once), at_once));
        // As if its tenant's calls under way ended now.
        let mine = one.mine.requests.min(pass.requests) / 2;
        let by_cap = self.until_below_cap(one.flow, mine, span) - span;
        (now + by_tokens.max(by_requests).max(by_ends).max(by_cap)).max(opens)
    }

    /// What can stand ahead of it when it goes before its turn: that whose limit passes earlier.
    /// Inside its tenant nobody passes, so not while nobody else is there.
    fn would_pass(&self, one: &Prospect) -> Work {
        let own = one.flow.and_then(|flow| self.shares.flow(flow));
        if own.is_some_and(|own| self.table.known() == own.members as usize) {
            return Work {
                requests: u64::MAX,
                tokens: u64::MAX,
            };
        }
        one.limit.map_or_else(Work::default, |limit| {
            Work::before(&self.limited[one.priority.index()], limit)
        })
    }
}

fn half(span: Millis) -> Millis {
    Millis::new(span.get() / 2)
}

impl Work {
    fn before(line: &Line, place: Place) -> Self {
        let (requests, tokens) = line.before(place);
        Self {
            requests,
            tokens: tokens.get(),
        }
    }

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
