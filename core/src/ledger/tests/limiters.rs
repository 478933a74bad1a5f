//! Limiters as one may stand upstream, written the plain way and apart from the ledger: each remembers every
//! charge, or counts in floating point.

use crate::ledger::CallKey;
use std::collections::HashMap;

/// The kinds a quota service is known to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bucket that holds so many seconds of quota.
    Bucket(u64),
    /// Minutes by the wall clock.
    Fixed,
    /// The last 60 s.
    Sliding,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Bucket(10), Kind::Bucket(60), Kind::Fixed, Kind::Sliding];

#[derive(Debug, Clone, Copy)]
struct Charge {
    at: u64,
    tokens: i64,
}

/// One limiter of tokens and requests.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    kind: Kind,
    quota: i64,
    requests: Option<i64>,
    level: f64,
    request_level: f64,
    at: u64,
    charges: Vec<Charge>,
    /// Where each call's charge is in `charges`.
    calls: HashMap<CallKey, usize>,
}

impl Limiter {
    pub(crate) fn new(kind: Kind, quota: u64, requests: Option<u64>) -> Self {
        let quota = i64::try_from(quota).unwrap();
        let requests = requests.map(|limit| i64::try_from(limit).unwrap());
        let seconds = match kind {
            Kind::Bucket(seconds) => seconds,
            Kind::Fixed | Kind::Sliding => 60,
        };
        Self {
            kind,
            quota,
            requests,
            level: quota as f64 * seconds as f64 / 60.0,
            request_level: (requests.unwrap_or(0) as f64 * seconds as f64 / 60.0).max(1.0),
            at: 0,
            charges: Vec::new(),
            calls: HashMap::new(),
        }
    }

    fn refill(&mut self, now: u64) {
        let Kind::Bucket(seconds) = self.kind else { return };
        if self.at == 0 {
            self.at = now;
        }
        let passed = now.saturating_sub(self.at) as f64 / 60_000.0;
        let capacity = |limit: i64| limit as f64 * seconds as f64 / 60.0;
        self.level = (self.level + passed * self.quota as f64).min(capacity(self.quota));
        let requests = self.requests.unwrap_or(0);
        self.request_level = (self.request_level + passed * requests as f64).min(capacity(requests).max(1.0));
        self.at = self.at.max(now);
    }

    fn counts(&self, charge: &Charge, now: u64) -> bool {
        match self.kind {
            Kind::Bucket(_) => false,
            Kind::Fixed => charge.at / 60_000 == now / 60_000,
            Kind::Sliding => charge.at + 60_000 > now,
        }
    }

    /// Tokens and requests it would admit now.
    pub(crate) fn free(&mut self, now: u64) -> (f64, f64) {
        self.refill(now);
        if let Kind::Bucket(_) = self.kind {
            return (self.level, self.request_level);
        }
        let counting: Vec<&Charge> = self
            .charges
            .iter()
            .rev()
            .take_while(|c| c.at + 120_000 > now)
            .collect();
        let counting = counting.into_iter().filter(|charge| self.counts(charge, now));
        let (mut tokens, mut requests) = (self.quota, self.requests.unwrap_or(0));
        for charge in counting {
            tokens -= charge.tokens;
            requests -= 1;
        }
        (tokens as f64, requests as f64)
    }

    /// Admits and charges a call, or refuses it.
    pub(crate) fn admit(&mut self, now: u64, key: CallKey, tokens: u64) -> bool {
        let (free, free_requests) = self.free(now);
        if free + 1e-6 < tokens as f64 || (self.requests.is_some() && free_requests + 1e-6 < 1.0) {
            return false;
        }
        self.level -= tokens as f64;
        self.request_level -= 1.0;
        self.calls.insert(key, self.charges.len());
        self.charges.push(Charge {
            at: now,
            tokens: i64::try_from(tokens).unwrap(),
        });
        true
    }

    /// Corrects a call's charge when it is over: a bucket now, a window where it was charged.
    pub(crate) fn settle(&mut self, now: u64, key: CallKey, charged: u64, actual: u64) {
        self.refill(now);
        let difference = i64::try_from(charged).unwrap() - i64::try_from(actual).unwrap();
        if let Kind::Bucket(seconds) = self.kind {
            let capacity = self.quota as f64 * seconds as f64 / 60.0;
            self.level = (self.level + difference as f64).min(capacity);
        }
        if let Some(place) = self.calls.remove(&key) {
            self.charges[place].tokens -= difference;
        }
    }
}
