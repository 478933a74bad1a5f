//! The simulator's time: microseconds since it started, read in one place.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment or a span, in microseconds. Moments count from the simulator's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// The start of the simulator, or an empty span.
    pub const ZERO: Self = Self(0);
    /// One minute: every per-minute quota is measured over it.
    pub const MINUTE: Self = Self(60_000_000);
    /// One day of 24 hours.
    pub const DAY: Self = Self(86_400_000_000);

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of fractional milliseconds; nothing for a negative or absurd value.
    pub fn from_millis_f64(millis: f64) -> Self {
        let span = Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default();
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    /// Whole milliseconds, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The time from `earlier` to here, nothing if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

/// Monotonic time since the simulator's start. Everything that decides takes a [`Micros`] instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
    /// The start in microseconds since the epoch, as the machine's clock said then.
    epoch: u64,
}

impl Clock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the simulator reads a clock"
    )]
    pub(crate) fn start() -> Self {
        Self {
            start: tokio::time::Instant::now(),
            epoch: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// A moment in microseconds since the epoch, for a stamp that another process compares with its own clock.
    pub(crate) fn unix_micros(&self, at: Micros) -> u64 {
        self.epoch.saturating_add(at.0)
    }

    pub(crate) fn now(&self) -> Micros {
        Micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The runtime's instant of a moment, for timers.
    pub(crate) fn instant(&self, at: Micros) -> tokio::time::Instant {
        self.start + Duration::from_micros(at.0)
    }
}
