//! The time by which a lane is held.
//!
//! A wall clock may be set while a lane is held, by minutes: its machine had the wrong time, or stood still. Set
//! forwards it would make every charge of the ledger minutes older at once, and the quota would be spent again; set
//! backwards it would stand still, and nobody would be let go. So the wall is asked once, when a holding begins; from
//! then on time goes by the monotonic clock. That may be minutes off, which holding a lane stands anyway.
//!
//! A holder that finds the wall ahead of itself hands over. Its next one begins with the time there is then: to workers,
//! whose clocks are right, releases of one that is behind would come too late for as long as it holds the lane. Of a wall
//! that was set backwards nothing is to be noticed, since no clock of a process goes back; and a holder that is ahead
//! keeps nobody from working.

use smoother_core::Timestamp;
use smoother_core::hold::SKEW;
use smoother_core::ports::Clock;
use std::sync::Arc;
use std::time::Duration;

/// The wall's time at its beginning, and what has passed since.
pub(super) struct SteadyClock {
    wall: Arc<dyn Clock>,
    began: Timestamp,
    at: Duration,
}

impl SteadyClock {
    /// From now on.
    pub(super) fn new(wall: Arc<dyn Clock>) -> Self {
        Self {
            began: wall.now(),
            at: wall.elapsed(),
            wall,
        }
    }

    /// Whether the wall is further ahead than clocks may differ.
    pub(super) fn is_behind(&self) -> bool {
        self.wall.now() > self.now() + SKEW
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let passed = self.elapsed().saturating_sub(self.at);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.began.as_millis().saturating_add(passed))
    }

    fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Both set by hand, in milliseconds.
    #[derive(Default)]
    struct ByHand {
        wall: AtomicU64,
        monotonic: AtomicU64,
    }

    impl ByHand {
        fn set(&self, wall: u64, monotonic: u64) {
            self.wall.store(wall, Ordering::Relaxed);
            self.monotonic.store(monotonic, Ordering::Relaxed);
        }
    }

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
        }

        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.monotonic.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn time_goes_by_the_monotonic_clock_however_the_wall_is_set() {
        let wall = Arc::new(ByHand::default());
        wall.set(1_000_000, 70_000);
        let steady = SteadyClock::new(wall.clone());
        for (set, elapsed, shown, behind) in [
            (1_000_000, 70_000, 1_000_000, false),
            (1_005_000, 75_000, 1_005_000, false),
            // What two clocks may differ by, and more.
            (1_007_500, 75_500, 1_005_500, false),
            (1_307_500, 76_000, 1_006_000, true),
            (400_000, 77_000, 1_007_000, false),
        ] {
            wall.set(set, elapsed);
            assert_eq!(steady.now(), Timestamp::from_millis(shown));
            assert_eq!(steady.is_behind(), behind, "{set}");
        }
    }
}
