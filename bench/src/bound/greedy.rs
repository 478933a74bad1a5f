//! Lets calls go as soon as the limiter has room, the first priority first, or the first of all.

use std::collections::{BinaryHeap, VecDeque};

use super::limit::Limit;
use super::{Best, Upstream, seconds};
use crate::plan::Call;

/// The priorities, first to last.
const ORDER: [&str; 3] = ["interactive", "normal", "batch"];

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The first priority, and of each who came first.
    ByPriority,
    /// Who came first.
    FirstCome,
}

/// A call under way: its end, and what has to be set right then. Ordered by its end, the earliest greatest.
#[derive(Debug, PartialEq)]
struct Running {
    end: f64,
    call: usize,
    begun: f64,
}

impl Eq for Running {}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other
            .end
            .total_cmp(&self.end)
            .then_with(|| other.call.cmp(&self.call))
    }
}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

pub(super) struct Greedy<'a> {
    upstream: &'a Upstream,
    calls: &'a [Call],
    order: Order,
    tokens: Limit,
    requests: Option<Limit>,
    now: f64,
    arrived: usize,
    waiting: [VecDeque<usize>; ORDER.len() + 1],
    running: BinaryHeap<Running>,
    starts: Vec<Option<f64>>,
    last_end: f64,
}

impl<'a> Greedy<'a> {
    pub(super) fn new(upstream: &'a Upstream, calls: &'a [Call], order: Order) -> Self {
        Self {
            upstream,
            calls,
            order,
            tokens: Limit::new(upstream.kind, upstream.tokens_per_minute * upstream.left),
            requests: upstream
                .requests_per_minute
                .map(|requests| Limit::new(upstream.kind, requests * upstream.left)),
            now: 0.0,
            arrived: 0,
            waiting: Default::default(),
            running: BinaryHeap::new(),
            starts: vec![None; calls.len()],
            last_end: 0.0,
        }
    }

    /// How it goes to its end.
    pub(super) fn run(mut self) -> Best {
        while self.step() {}
        self.told()
    }

    /// Lets one call go, or passes to the next moment at which anything changes; false when nothing is left to do.
    fn step(&mut self) -> bool {
        self.arrive();
        self.end();
        let Some(call) = self.waiting.iter().find_map(|line| line.front().copied()) else {
            return self.pass_to(f64::INFINITY);
        };
        let amount = Upstream::reserved(&self.calls[call]);
        if !self.tokens.fits(amount) {
            self.leave();
            return true;
        }
        let tokens = self.tokens.room(self.now, amount);
        let requests = self
            .requests
            .as_mut()
            .map_or(Ok(()), |limit| limit.room(self.now, 1.0));
        match (tokens, requests) {
            (Ok(()), Ok(())) => self.start(call, amount),
            (tokens, requests) => {
                let retry = tokens
                    .err()
                    .unwrap_or(self.now)
                    .max(requests.err().unwrap_or(self.now));
                return self.pass_to(retry);
            }
        }
        true
    }

    fn arrive(&mut self) {
        while let Some(call) = self
            .calls
            .get(self.arrived)
            .filter(|call| seconds(call.at_us) <= self.now)
        {
            let rank = match self.order {
                Order::FirstCome => 0,
                Order::ByPriority => ORDER
                    .iter()
                    .position(|name| *name == call.class)
                    .unwrap_or(ORDER.len()),
            };
            self.waiting[rank].push_back(self.arrived);
            self.arrived += 1;
        }
    }

    fn end(&mut self) {
        while let Some(ended) = self.running.peek().filter(|running| running.end <= self.now) {
            let call = &self.calls[ended.call];
            let more = self.upstream.cost(call) - Upstream::reserved(call);
            self.tokens.settle(ended.end, ended.call, ended.begun, more);
            self.running.pop();
        }
    }

    fn leave(&mut self) {
        if let Some(line) = self.waiting.iter_mut().find(|line| !line.is_empty()) {
            line.pop_front();
        }
    }

    fn start(&mut self, call: usize, amount: f64) {
        self.leave();
        self.tokens.charge(self.now, call, amount);
        if let Some(limit) = &mut self.requests {
            limit.charge(self.now, call, 1.0);
        }
        let end = self.now + self.upstream.service_s(&self.calls[call]);
        self.starts[call] = Some(self.now);
        self.last_end = self.last_end.max(end);
        self.running.push(Running {
            end,
            call,
            begun: self.now,
        });
    }

    fn pass_to(&mut self, at: f64) -> bool {
        let arrival = self
            .calls
            .get(self.arrived)
            .map_or(f64::INFINITY, |call| seconds(call.at_us));
        let end = self.running.peek().map_or(f64::INFINITY, |running| running.end);
        // A moment later than a limit says: what it counts is not exact to the last bit.
        let next = (at + 1e-6).min(arrival).min(end);
        self.now = self.now.max(next);
        next.is_finite()
    }

    fn told(self) -> Best {
        let first = self
            .starts
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        let busy_s = (self.last_end - first).max(0.0);
        let started = || {
            self.calls
                .iter()
                .zip(&self.starts)
                .filter(|(_, start)| start.is_some())
        };
        let cost: f64 = started().map(|(call, _)| self.upstream.cost(call)).sum();
        let minutes = busy_s / 60.0;
        let share = |used: f64, limit: f64| {
            if minutes > 0.0 {
                used / (limit * minutes)
            } else {
                0.0
            }
        };
        let tokens = share(cost, self.upstream.tokens_per_minute);
        let requests = self
            .upstream
            .requests_per_minute
            .map_or(0.0, |limit| share(started().count() as f64, limit));
        let waits = self
            .calls
            .iter()
            .zip(&self.starts)
            .map(|(call, start)| Some((*start)? - seconds(call.at_us)));
        Best {
            waits: waits.collect(),
            utilisation: tokens.max(requests),
            busy_s,
        }
    }
}
