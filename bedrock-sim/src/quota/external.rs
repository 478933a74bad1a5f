//! Another client of the same quota.

use super::limiter::Limiter;
use crate::clock::Micros;
use crate::settings::Oversize;

/// How often the other client is thought to call.
const STEP: Micros = Micros::from_millis(100);
/// A longer silence cannot matter to a limit per minute.
const HORIZON: Micros = Micros(2 * Micros::MINUTE.0);

/// Takes a steady share of the tokens and requests per minute, in small steps, each only if it
/// fits: when the quota is empty the other client is throttled too and loses its turn.
#[derive(Debug)]
pub(super) struct ExternalClient {
    /// Millionths of the quota.
    share: u64,
    until: Micros,
}

impl ExternalClient {
    pub(super) fn new(now: Micros, share: f64) -> Self {
        // A share is at most 1, so its millionths are those of a span of that many seconds.
        let share = Micros::from_millis_f64(share.clamp(0.0, 1.0) * 1_000.0).0;
        Self { share, until: now }
    }

    /// Spends everything the other client wanted up to `now`.
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
            for limiter in [&mut *tokens, &mut *requests].into_iter().flatten() {
                let amount = self.wanted(limiter.limit());
                if limiter.would_admit(self.until, amount, Oversize::Refuse) {
                    limiter.charge(self.until, amount);
                }
            }
        }
    }

    /// What the step that ends at `self.until` wants: the difference of two rounded totals, so that
    /// fractions are carried and not lost.
    fn wanted(&self, per_minute: u64) -> u64 {
        let total = |at: Micros| {
            u128::from(per_minute) * u128::from(self.share) * u128::from(at.0)
                / (1_000_000 * u128::from(Micros::MINUTE.0))
        };
        u64::try_from(total(self.until) - total(self.until - STEP)).unwrap_or(u64::MAX)
    }
}
