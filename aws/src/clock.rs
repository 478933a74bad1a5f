//! The time, in a process that is stopped between its invocations.

use smoother_core::Timestamp;
use smoother_core::ports::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall's time at every look, never below an earlier answer. A clock that counts on from the start of the process
/// would stand still while a function is frozen, and be late by as much ever after.
#[derive(Debug)]
pub struct WallClock {
    latest: AtomicU64,
    started: Instant,
}

impl WallClock {
    /// From now on.
    #[must_use]
    pub fn new() -> Self {
        Self {
            latest: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    fn told(&self, wall: u64) -> Timestamp {
        let latest = self.latest.fetch_max(wall, Ordering::Relaxed);
        Timestamp::from_millis(latest.max(wall))
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.told(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_that_is_set_back_is_not_followed() {
        let clock = WallClock::new();
        assert_eq!(clock.told(2_000).as_millis(), 2_000);
        assert_eq!(clock.told(1_000).as_millis(), 2_000);
        assert_eq!(clock.told(2_500).as_millis(), 2_500);
        assert!(clock.now().as_millis() > 1_700_000_000_000);
    }
}
