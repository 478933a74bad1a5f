//! The clocks of processes: each runs as evenly as the world's, and is off by its own amount.

use smoother_core::Timestamp;
use smoother_core::ports::Clock;
use smoother_tests::memory::World;
use std::time::Duration;

/// One process's clock.
#[derive(Debug, Clone)]
pub struct OffClock {
    world: World,
    /// Milliseconds that it is ahead.
    ahead: i64,
}

impl OffClock {
    pub const fn new(world: World, ahead: i64) -> Self {
        Self { world, ahead }
    }
}

impl Clock for OffClock {
    fn now(&self) -> Timestamp {
        let now = i64::try_from(self.world.now().as_millis()).unwrap_or(i64::MAX);
        let shown = now.saturating_add(self.ahead);
        Timestamp::from_millis(u64::try_from(shown).unwrap_or(0))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.now().as_millis())
    }
}
