//! Another client of the same quota.

use super::limiter::Limiter;
use crate::clock::Micros;

/// How often the other client calls.
const STEP: Micros = Micros::from_millis(100);
/// A longer silence cannot matter to a limit per minute.
const HORIZON: Micros = Micros(2 * Micros::MINUTE.0);

/// Takes a steady share of the tokens and of the requests per minute in small steps. Where the quota
/// is empty the other client waits and tries again, as a client with retries does: what it did not
/// get it wants at the next step, up to one minute's share.
#[derive(Debug)]
pub(super) struct ExternalClient {
    /// Millionths of the quota.
    share: u64,
    until: Micros,
    tokens_wanted: u64,
    requests_wanted: u64,
}

impl ExternalClient {
    pub(super) fn new(now: Micros, share: f64) -> Self {
        // A share is at most 1, so its millionths are the microseconds of as many seconds.
        let share = Micros::from_millis_f64(share.clamp(0.0, 1.0) * 1_000.0).0;
        Self {
            share,
            until: now,
            tokens_wanted: 0,
            requests_wanted: 0,
        }
    }

    /// Spends everything the other client could get up to `now`.
    pub(super) fn spend(
        &mut self,
        now: Micros,
        tokens: &mut Option<Limiter>,
        requests: &mut Option<Limiter>,
    ) {
        if self.share == 0 {
            return;
        }
        self.until = self.until.max(Micros(now.0.saturating_sub(HORIZON.0)));
        while self.until + STEP <= now {
            self.until = self.until + STEP;
            let (share, until) = (self.share, self.until);
            take(share, until, tokens, &mut self.tokens_wanted);
            take(share, until, requests, &mut self.requests_wanted);
        }
    }
}

/// One step, which ends at `until`, against one limit.
fn take(share: u64, until: Micros, limiter: &mut Option<Limiter>, wanted: &mut u64) {
    let Some(limiter) = limiter else {
        return;
    };
    // The difference of two rounded totals: fractions are carried and not lost.
    let total = |at: Micros| {
        let parts = u128::from(limiter.limit()) * u128::from(share) * u128::from(at.0);
        u64::try_from(parts / (1_000_000 * u128::from(Micros::MINUTE.0))).unwrap_or(u64::MAX)
    };
    *wanted = (*wanted + (total(until) - total(until - STEP))).min(total(Micros::MINUTE));
    let free = u64::try_from(limiter.free(until).max(0)).unwrap_or(u64::MAX);
    let taken = free.min(*wanted);
    if taken > 0 {
        limiter.charge(until, taken);
        *wanted -= taken;
    }
}
