//! Time and chance of this process.

use rand::Rng;
use smoother_core::Timestamp;
use smoother_core::ports::{Clock, Entropy};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time at start, and monotonic time from there: it never steps back, whatever the wall clock does.
#[derive(Debug)]
pub struct SystemClock {
    base_ms: AtomicU64,
    started: Instant,
}

impl SystemClock {
    /// Starts at the wall's time, or at `floor` where the wall is behind it (a clock set back between two runs).
    pub fn new(floor: Timestamp) -> Self {
        Self {
            base_ms: AtomicU64::new(wall().max(floor).as_millis()),
            started: Instant::now(),
        }
    }

    /// Goes forward to `floor` if it is behind; the newest stored time is one, known only once the store is open.
    pub fn raise(&self, floor: Timestamp) {
        let behind = floor.since(self.now());
        self.base_ms.fetch_add(behind.get(), Ordering::Relaxed);
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.base_ms.load(Ordering::Relaxed).saturating_add(elapsed))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

fn wall() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// The process's cryptographic generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn bytes(&self) -> [u8; 10] {
        rand::rng().random()
    }

    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            rand::rng().random_range(0..bound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoother_core::Millis;

    #[test]
    fn a_clock_set_back_does_not_go_below_the_floor() {
        let future = wall() + Millis::from_secs(3_600);
        let clock = SystemClock::new(future);
        assert!(clock.now() >= future);
        let later = future + Millis::from_secs(60);
        clock.raise(later);
        assert!(clock.now() >= later);
        clock.raise(Timestamp::EPOCH);
        assert!(clock.now() >= later && clock.now().since(later) < Millis::from_secs(60));
    }

    #[test]
    fn a_floor_in_the_past_leaves_the_wall_time() {
        let before = wall();
        assert!(SystemClock::new(Timestamp::EPOCH).now() >= before);
    }

    #[test]
    fn chance_keeps_its_bounds_and_does_not_repeat() {
        assert_eq!(OsEntropy.below(0), 0);
        assert!((0..1_000).all(|_| OsEntropy.below(7) < 7));
        assert_ne!(OsEntropy.bytes(), OsEntropy.bytes());
    }

    #[test]
    fn spans_are_measured_finer_than_moments() {
        let clock = SystemClock::new(Timestamp::EPOCH);
        let fine = (0..1_000).any(|_| !clock.elapsed().subsec_nanos().is_multiple_of(1_000_000));
        assert!(fine, "a decision of microseconds would be measured as nothing");
    }
}
