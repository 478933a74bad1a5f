//! The ledger itself: reservations, charges, settlements.

use super::day::{Day, Park};
use super::pace::Pace;
use super::pause::Pause;
use super::slots::Slots;
use super::{CallKey, Demand, Margins, NeverFits, Wait, fits};
use crate::config::LaneConfig;
use crate::units::{Timestamp, Tokens};
use std::collections::HashMap;

/// A reservation that is not settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) tokens: u64,
    /// Of them what the upstream does not take at the start. Charged like the rest it would be given back to a bucket
    /// that the upstream's, never having lacked it, may have had no room for; so it is held until the settlement.
    pub(super) surplus: u64,
    /// When it was reserved.
    pub(super) released: Timestamp,
    /// Start of its call, once known.
    pub(super) started: Option<Timestamp>,
}

/// One lane's quota: what is reserved, what was charged, what is left.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) lane: LaneConfig,
    pub(super) margins: Margins,
    pub(super) tokens: Pace,
    pub(super) requests: Option<Pace>,
    pub(super) day: Day,
    pub(super) slots: Slots,
    pub(super) park: Park,
    pub(super) pause: Pause,
    /// Only ever looked up by key, so that the order of a hash map decides nothing.
    pub(super) open: HashMap<CallKey, Open>,
    pub(super) now: Timestamp,
    /// Counts what would change a snapshot, the passing of time aside.
    pub(super) version: u64,
}

impl Open {
    /// What the upstream takes at the start.
    pub(super) const fn taken(&self) -> u64 {
        self.tokens - self.surplus
    }
}

impl Ledger {
    /// A ledger in which nothing was spent.
    pub fn new(lane: &LaneConfig, margins: Margins, now: Timestamp) -> Self {
        let pace = |quota| Pace::new(quota, lane.pacing, &margins, now);
        Self {
            tokens: pace(lane.tokens_per_minute.get()),
            requests: lane
                .requests_per_minute
                .map(|limit| pace(limit.get()).following()),
            day: Day::new(lane.tokens_per_day.map(|limit| limit.get()), now),
            slots: Slots::new(lane.max_concurrency),
            park: Park::default(),
            pause: Pause::default(),
            open: HashMap::new(),
            lane: lane.clone(),
            margins,
            now,
            version: 0,
        }
    }

    /// Takes the lane's new settings. Charges stay; a ledger of a kind that was not kept so far starts empty, and a quota
    /// that was not limited with nothing but the calls under way.
    pub fn reconfigure(&mut self, lane: &LaneConfig, now: Timestamp) {
        let now = self.advance(now);
        let margins = self.margins;
        self.tokens
            .reconfigure(lane.tokens_per_minute.get(), lane.pacing, &margins, now);
        self.requests = lane.requests_per_minute.map(|limit| match self.requests.take() {
            Some(mut pace) => {
                pace.reconfigure(limit.get(), lane.pacing, &margins, now);
                pace.following()
            }
            None => self.counted(
                Pace::new(limit.get(), lane.pacing, &margins, now).following(),
                now,
            ),
        });
        self.day.set_limit(lane.tokens_per_day.map(|limit| limit.get()));
        self.slots.set_most(lane.max_concurrency);
        self.lane = lane.clone();
    }

    /// A pace of requests that begins while calls are under way: how many went before, which the upstream has counted, is
    /// not known.
    fn counted(&self, mut pace: Pace, now: Timestamp) -> Pace {
        pace.retell_from(now);
        for open in self.open.values() {
            match open.started {
                None => pace.reserve(now, 1),
                Some(at) => pace.charge(now, at, 1),
            }
        }
        pace
    }

    /// Reserves `tokens` and one request for a call: in all limits, or in none.
    ///
    /// A request larger than the burst is admitted when nothing else is held and the bucket is full; it leaves
    /// the bucket in debt. Reserving again for the same call changes nothing.
    pub fn reserve(&mut self, now: Timestamp, key: CallKey, demand: impl Into<Demand>) -> Result<(), Wait> {
        let (now, demand) = (self.advance(now), demand.into());
        let tokens = demand.tokens;
        if self.open.contains_key(&key) {
            return Ok(());
        }
        fits(&self.lane, tokens).map_err(Wait::Never)?;
        if let Some(wait) = self.shut(now) {
            return Err(wait);
        }
        let amount = tokens.get();
        let (of_tokens, of_requests) = demand.wishes();
        self.tokens.look(now);
        self.requests.iter_mut().for_each(|pace| pace.look(now));
        let left = self.tokens.binding(now);
        self.requests.iter_mut().for_each(|pace| pace.follow(now, left));
        let goes = self.tokens.may_go(now, of_tokens)
            && self
                .requests
                .as_ref()
                .is_none_or(|pace| pace.may_go(now, of_requests))
            && self.day.earliest(now, amount, 0) <= now;
        if !goes {
            return Err(Wait::Until(self.earliest(now, demand)));
        }
        self.tokens.hold(now, key, of_tokens);
        self.tokens.await_end_of(amount);
        if let Some(pace) = &mut self.requests {
            pace.hold(now, key, of_requests);
        }
        self.day.hold(amount);
        self.park.goes(now, key);
        self.version += 1;
        self.open.insert(
            key,
            Open {
                tokens: amount,
                surplus: demand.surplus.get(),
                released: now,
                started: None,
            },
        );
        Ok(())
    }

    /// As [`Ledger::reserve`], but only while no call at all is under way: what is refused upstream then was
    /// refused for its size, not for its neighbours.
    pub fn reserve_alone(
        &mut self,
        now: Timestamp,
        key: CallKey,
        demand: impl Into<Demand>,
    ) -> Result<(), Wait> {
        let demand = demand.into();
        if !self.open.is_empty() && !self.open.contains_key(&key) {
            fits(&self.lane, demand.tokens).map_err(Wait::Never)?;
            return Err(Wait::CallEnds);
        }
        self.reserve(now, key, demand)
    }

    /// When a call under way started, if that is known.
    pub fn started_at(&self, key: CallKey) -> Option<Timestamp> {
        self.open.get(&key)?.started
    }

    /// A call has started: its charge is dated to `at`, as Bedrock's is.
    pub fn started(&mut self, now: Timestamp, key: CallKey, at: Timestamp) {
        let now = self.advance(now);
        let Some(open) = self.open.get_mut(&key).filter(|open| open.started.is_none()) else {
            return;
        };
        let at = at.min(now);
        open.started = Some(at);
        let taken = open.taken();
        self.version += 1;
        self.tokens.starts(now, key, taken);
        self.requests.iter_mut().for_each(|pace| pace.starts(now, key, 1));
        self.date(now, at, taken);
    }

    /// A call is over and has cost `actual`.
    pub fn settle(&mut self, now: Timestamp, key: CallKey, actual: Tokens) {
        let now = self.advance(now);
        let Some(open) = self.open.remove(&key) else {
            return;
        };
        self.version += 1;
        let at = open.started.unwrap_or(now);
        if open.started.is_none() {
            self.date(now, at, open.taken());
        }
        self.tokens.known(open.tokens);
        self.tokens.unhold(open.surplus);
        let (taken, actual) = (open.taken(), actual.get());
        if actual <= taken {
            self.tokens.credit(now, at, taken - actual);
        } else {
            self.tokens.charge_excess(now, at, actual - taken);
        }
        self.day.settle(Some(at), open.tokens, actual);
        self.park.over(key, true);
        self.tokens.over(now, key, true);
        self.requests
            .iter_mut()
            .for_each(|pace| pace.over(now, key, true));
    }

    /// A reservation is given back in full: its call was refused, or never made.
    pub fn release(&mut self, now: Timestamp, key: CallKey) {
        let now = self.advance(now);
        if let Some(open) = self.open.remove(&key) {
            self.version += 1;
            self.give_back(now, open);
            self.park.over(key, false);
            self.tokens.over(now, key, false);
            self.requests
                .iter_mut()
                .for_each(|pace| pace.over(now, key, false));
        }
    }

    pub(super) fn give_back(&mut self, now: Timestamp, open: Open) {
        self.tokens.known(open.tokens);
        match open.started {
            None => {
                self.tokens.unhold(open.tokens);
                self.requests.iter_mut().for_each(|pace| pace.unhold(1));
            }
            Some(at) => {
                self.tokens.unhold(open.surplus);
                self.tokens.credit(now, at, open.taken());
                self.requests.iter_mut().for_each(|pace| pace.credit(now, at, 1));
            }
        }
        self.day.settle(open.started, open.tokens, 0);
    }

    fn date(&mut self, now: Timestamp, at: Timestamp, tokens: u64) {
        self.tokens.unhold(tokens);
        self.tokens.charge(now, at, tokens);
        if let Some(pace) = &mut self.requests {
            pace.unhold(1);
            pace.charge(now, at, 1);
        }
    }

    /// Why nothing at all can go now, whatever its size.
    pub fn shut(&self, now: Timestamp) -> Option<Wait> {
        let opens = self.park.opens(now).max(self.pause.until());
        match self.slots.opens(now, self.open.len()) {
            None => Some(Wait::CallEnds),
            Some(slot) if slot.max(opens) > now => Some(Wait::Until(slot.max(opens))),
            Some(_) => None,
        }
    }

    /// When `tokens` would be admitted if nothing else happened, calls at once left aside;
    /// [`Timestamp::NEVER`] where they never would.
    pub fn earliest(&self, now: Timestamp, demand: impl Into<Demand>) -> Timestamp {
        let demand = demand.into();
        if fits(&self.lane, demand.tokens).is_err() {
            return Timestamp::NEVER;
        }
        let (of_tokens, of_requests) = demand.wishes();
        let requests = self.requests.as_ref().map(|pace| pace.earliest(now, of_requests));
        self.tokens
            .earliest(now, of_tokens)
            .max(requests.unwrap_or(now))
            .max(self.day.earliest(now, demand.tokens.get(), 0))
            .max(self.park.opens(now))
            .max(self.pause.until())
    }

    /// Whether a call would be admitted now as far as tokens, requests and the day go, and not as a probe.
    pub fn admits(&self, now: Timestamp, demand: impl Into<Demand>) -> bool {
        let demand = demand.into();
        let (of_tokens, of_requests) = demand.wishes();
        self.tokens.admits(now, of_tokens)
            && self
                .requests
                .as_ref()
                .is_none_or(|pace| pace.admits(now, of_requests))
            && self.day.earliest(now, demand.tokens.get(), 0) <= now
    }

    /// Whether a call that is promised would still be admitted at `at` if another one went now.
    pub fn keeps(
        &self,
        now: Timestamp,
        at: Timestamp,
        promised: impl Into<Demand>,
        other: impl Into<Demand>,
    ) -> bool {
        let (promised, other) = (promised.into(), other.into());
        let (of_tokens, of_requests) = promised.wishes();
        let (tokens, requests) = other.wishes();
        // A day's limit that turns by then has forgotten the other call.
        let day = self.day.earliest(now, promised.tokens.get(), other.tokens.get()) <= at;
        day && self.tokens.lets_go_at(now, at, of_tokens, tokens)
            && self
                .requests
                .as_ref()
                .is_none_or(|pace| pace.lets_go_at(now, at, of_requests, requests))
    }

    /// Calls that are released or running.
    pub fn under_way(&self) -> usize {
        self.open.len()
    }

    /// Whether a call still counts as released or running.
    pub fn is_open(&self, key: CallKey) -> bool {
        self.open.contains_key(&key)
    }

    /// The most tokens that can go at one moment.
    pub fn burst(&self) -> Tokens {
        Tokens::new(self.tokens.burst(self.now))
    }

    /// Why such a reservation could never be admitted.
    pub fn fits(&self, tokens: Tokens) -> Result<(), NeverFits> {
        fits(&self.lane, tokens)
    }

    /// Time never runs backwards here: an earlier `now` counts as the latest one seen.
    pub(super) fn advance(&mut self, now: Timestamp) -> Timestamp {
        if now > self.now {
            self.now = now;
            let undated = self.open.values().filter(|open| open.started.is_none());
            if super::day::day_of(now) != self.day.count().day {
                let undated = undated.map(|open| open.tokens).sum();
                self.day.turn(now, undated);
            }
        }
        self.now
    }
}
