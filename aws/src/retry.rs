//! Asks again what a service was too busy for, or gave no answer to: the one layer of retries in this crate.

use crate::fault::Fault;
use smoother_core::ports::Entropy;
use std::time::Duration;
use tokio::time::Instant;

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts, the first one included.
    pub tries: u32,
    /// The first pause is up to this long; each further one up to twice as long as the one before.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// No attempt is begun later than this after the first.
    pub within: Duration,
}

impl Default for Patience {
    /// Ten attempts within 12 s; pauses from 20 ms up to 1 s.
    fn default() -> Self {
        Self {
            tries: 10,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(1),
            within: Duration::from_secs(12),
        }
    }
}

impl Patience {
    /// Makes the attempt until it succeeds, fails for good, or patience is at an end; gives the last fault then.
    /// Pauses are drawn evenly from nothing to the longest allowed (full jitter).
    pub(crate) async fn ask<T, F>(
        &self,
        chance: &dyn Entropy,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let started = Instant::now();
        let mut made = 0;
        loop {
            let fault = match attempt().await {
                Err(fault @ (Fault::Busy(_) | Fault::Unsure(_))) => fault,
                done => return done,
            };
            made += 1;
            let pause = self.pause(chance, made);
            if made >= self.tries || started.elapsed() + pause > self.within {
                return Err(fault);
            }
            tracing::debug!(%fault, made, "asking again");
            tokio::time::sleep(pause).await;
        }
    }

    /// A pause before attempt `made` + 1.
    pub(crate) fn pause(&self, chance: &dyn Entropy, made: u32) -> Duration {
        let doublings = made.saturating_sub(1).min(20);
        let most = self
            .first_pause
            .saturating_mul(1 << doublings)
            .min(self.longest_pause);
        let bound = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(chance.below(bound.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that is allowed.
    struct Most;

    impl Entropy for Most {
        fn bytes(&self) -> [u8; 10] {
            [0; 10]
        }
        fn below(&self, bound: u64) -> u64 {
            bound.saturating_sub(1)
        }
    }

    async fn attempts(patience: Patience, fault: Fault) -> (u32, Duration) {
        let (mut made, started) = (0, Instant::now());
        let outcome: Result<(), Fault> = patience
            .ask(&Most, || {
                made += 1;
                std::future::ready(Err(fault.clone()))
            })
            .await;
        assert_eq!(outcome, Err(fault));
        (made, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest_and_end_with_patience() {
        let busy = || Fault::Busy("throttled".to_owned());
        let whole = attempts(Patience::default(), busy()).await;
        // 20 + 40 + … + 640 + 3 × 1,000.
        assert_eq!(whole, (10, Duration::from_millis(4_260)));
        let hurried = Patience {
            within: Duration::from_millis(100),
            ..Patience::default()
        };
        assert_eq!(attempts(hurried, busy()).await, (3, Duration::from_millis(60)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_change_is_asked_once() {
        for fault in [
            Fault::Lasting("denied".to_owned()),
            Fault::Damaged("torn".to_owned()),
        ] {
            assert_eq!(attempts(Patience::default(), fault).await, (1, Duration::ZERO));
        }
    }
}
