//! The world's time and chance.

use super::World;
use rand::Rng;
use smoother_core::Timestamp;
use smoother_core::ports::{Clock, Entropy};
use std::time::Duration;

/// Tokio's time since the world's beginning: it stands still unless the runtime moves it.
#[derive(Debug, Clone)]
pub struct WorldClock(pub(super) World);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The world's seed, drawn from. Faults draw from a stream of their own, so a plan does not change ids.
#[derive(Debug, Clone)]
pub struct WorldEntropy(pub(super) World);

impl Entropy for WorldEntropy {
    fn bytes(&self) -> [u8; 10] {
        self.0.lock().entropy.random()
    }

    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.0.lock().entropy.random_range(0..bound)
        }
    }
}
