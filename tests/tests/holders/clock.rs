//! The clocks of processes, as [`smoother_aws::WallClock`] has them: the wall's time at every look, never below an
//! earlier answer, and beside it a monotonic clock that no setting of the wall touches.
//!
//! Each wall runs as evenly as the world's, is off by its own amount, and may be set forwards or backwards in the life
//! of its process. Set back, the process's clock stands still until the wall has come to where it was; set forwards, it
//! goes along at once. What was dated by one clock is read by others.

use super::judge::Judge;
use smoother_core::Timestamp;
use smoother_core::ports::Clock;
use smoother_tests::memory::World;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The wall is set, at a moment of the world, by so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub at: Timestamp,
    pub by: i64,
}

/// One process's clock.
#[derive(Debug)]
pub struct WallClock {
    world: World,
    judge: Judge,
    process: usize,
    /// Milliseconds that its wall is ahead when the process begins.
    ahead: i64,
    steps: Vec<Step>,
    latest: AtomicU64,
    /// Steps that were noticed.
    noticed: AtomicUsize,
}

impl WallClock {
    pub const fn new(world: World, judge: Judge, process: usize, ahead: i64, steps: Vec<Step>) -> Self {
        Self {
            world,
            judge,
            process,
            ahead,
            steps,
            latest: AtomicU64::new(0),
            noticed: AtomicUsize::new(0),
        }
    }

    fn wall(&self) -> u64 {
        let now = self.world.now();
        let done: Vec<i64> = self
            .steps
            .iter()
            .filter(|step| step.at <= now)
            .map(|step| step.by)
            .collect();
        if self.noticed.swap(done.len(), Ordering::Relaxed) < done.len() {
            let by = done.last().copied().unwrap_or_default() / 1_000;
            self.judge
                .note("stepped", &format!("the wall of {} by {by} s", self.process));
        }
        let ahead = self.ahead.saturating_add(done.iter().sum());
        let real = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        u64::try_from(real.saturating_add(ahead)).unwrap_or(0)
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let wall = self.wall();
        let latest = self.latest.fetch_max(wall, Ordering::Relaxed);
        Timestamp::from_millis(latest.max(wall))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.now().as_millis())
    }
}

/// A clock whose spans are the wall's: what a holder must not measure by.
#[derive(Debug)]
pub struct SpansByWall(pub WallClock);

impl Clock for SpansByWall {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.now().as_millis())
    }
}
