//! What a model's quota admits, as Bedrock documents it.
//!
//! At admission a call is charged its whole possible size, at its end it is settled to what it used
//! ([`cost`]). How Bedrock counts inside a minute is not published, so three limiters stand for it
//! ([`limiter`]). [`Quota`] joins tokens and requests per minute, tokens per day and concurrency:
//! one admission takes from all of them or from none. Nothing here reads a clock.

mod bucket;
pub mod cost;
mod external;
mod fixed;
pub mod limiter;
mod sliding;

use serde::{Deserialize, Serialize};

use self::external::ExternalClient;
use self::limiter::{Limiter, Receipt};
use crate::clock::Micros;
use crate::settings::{Oversize, QuotaSettings};

/// Why a call was not admitted. Refused calls charge nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Tokens per day.
    Day,
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Too many calls at once: capacity, not quota.
    Concurrency,
}

/// What one admitted call holds; hand it back to [`Quota::settle`] exactly once.
#[derive(Debug)]
#[must_use = "an admission that is never settled holds its concurrency for ever"]
pub struct Admission {
    reserved: u64,
    minute: Option<Receipt>,
    day: Option<Receipt>,
}

impl Admission {
    /// Tokens charged at admission.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }
}

/// All limits of one model.
#[derive(Debug)]
pub struct Quota {
    tokens: Option<Limiter>,
    requests: Option<Limiter>,
    day: Option<Limiter>,
    max_concurrency: Option<u32>,
    oversize: Oversize,
    external: ExternalClient,
    in_flight: u32,
}

impl Quota {
    /// A quota with nothing used yet.
    pub fn new(now: Micros, settings: &QuotaSettings, external_load: f64) -> Self {
        let per_minute = |limit: Option<u64>| limit.map(|limit| Limiter::per_minute(now, limit, settings));
        Self {
            tokens: per_minute(settings.tokens_per_minute),
            requests: per_minute(settings.requests_per_minute),
            day: settings
                .tokens_per_day
                .map(|limit| Limiter::per_day(now, limit, settings)),
            max_concurrency: settings.max_concurrency,
            oversize: settings.oversize,
            external: ExternalClient::new(now, external_load),
            in_flight: 0,
        }
    }

    /// Takes new settings over. Limits of the same kind keep what was used; a change of the limiter,
    /// its bucket or its phase starts that limit afresh.
    pub fn reconfigure(&mut self, now: Micros, settings: &QuotaSettings, external_load: f64) {
        self.spend_external(now);
        let fresh = Self::new(now, settings, external_load);
        let old = std::mem::replace(self, fresh);
        self.in_flight = old.in_flight;
        for (new, old) in [
            (&mut self.tokens, old.tokens),
            (&mut self.requests, old.requests),
            (&mut self.day, old.day),
        ] {
            if let (Some(new), Some(old)) = (new, old) {
                new.inherit(now, old);
            }
        }
    }

    /// Calls admitted and not settled.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Admits a call of `tokens` (its reservation), charging every limit, or charges none and says why.
    ///
    /// # Errors
    /// The first limit that refuses, in the order day, requests, tokens, concurrency.
    pub fn admit(&mut self, now: Micros, tokens: u64) -> Result<Admission, Refusal> {
        self.admit_within(now, tokens, None)
    }

    /// As [`Self::admit`], with room for no more than `capacity` calls at once, whatever the settings allow.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_within(
        &mut self,
        now: Micros,
        tokens: u64,
        capacity: Option<u32>,
    ) -> Result<Admission, Refusal> {
        self.spend_external(now);
        let oversize = self.oversize;
        let refuses = |limiter: &mut Option<Limiter>, amount| {
            limiter
                .as_mut()
                .is_some_and(|limiter| !limiter.would_admit(now, amount, oversize))
        };
        if refuses(&mut self.day, tokens) {
            return Err(Refusal::Day);
        }
        if refuses(&mut self.requests, 1) {
            return Err(Refusal::Requests);
        }
        if refuses(&mut self.tokens, tokens) {
            return Err(Refusal::Tokens);
        }
        let most = self.max_concurrency.into_iter().chain(capacity).min();
        if most.is_some_and(|most| self.in_flight >= most) {
            return Err(Refusal::Concurrency);
        }
        if let Some(requests) = &mut self.requests {
            requests.charge(now, 1);
        }
        self.in_flight += 1;
        Ok(Admission {
            reserved: tokens,
            minute: self.tokens.as_mut().map(|limiter| limiter.charge(now, tokens)),
            day: self.day.as_mut().map(|limiter| limiter.charge(now, tokens)),
        })
    }

    /// Corrects a call's charge from its reservation to `tokens`: what is left over returns to the
    /// moment of admission, what was used beyond it is charged now and may put the limit into debt.
    pub fn settle(&mut self, now: Micros, admission: Admission, tokens: u64) {
        let Admission {
            reserved,
            minute,
            day,
        } = admission;
        self.in_flight = self.in_flight.saturating_sub(1);
        for (limiter, receipt) in [(&mut self.tokens, minute), (&mut self.day, day)] {
            if let (Some(limiter), Some(receipt)) = (limiter, receipt) {
                limiter.correct(now, &receipt, reserved, tokens);
            }
        }
    }

    fn spend_external(&mut self, now: Micros) {
        self.external.spend(now, &mut self.tokens, &mut self.requests);
    }
}

#[cfg(test)]
mod tests;
