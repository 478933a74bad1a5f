//! What is kept of one metric between two flushes.

use metrics::{CounterFn, GaugeFn, HistogramFn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most values of a histogram kept between two flushes; what comes beyond is not recorded.
const MOST_VALUES: usize = 10_000;

/// A count since the start, and how much of it has been told.
#[derive(Debug, Default)]
pub(super) struct Count {
    all: AtomicU64,
    told: AtomicU64,
}

impl Count {
    /// What came since this was last asked.
    pub(super) fn news(&self) -> u64 {
        let all = self.all.load(Ordering::Relaxed);
        all.saturating_sub(self.told.fetch_max(all, Ordering::Relaxed))
    }
}

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.all.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.all.fetch_max(value, Ordering::Relaxed);
    }
}

/// A level, and whether it was set since it was last told.
#[derive(Debug, Default)]
pub(super) struct Level(Mutex<(f64, bool)>);

impl Level {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut level = lock(&self.0);
        *level = (change(level.0), true);
    }

    /// The level, if it was set since this was last asked.
    pub(super) fn news(&self) -> Option<f64> {
        let mut level = lock(&self.0);
        // A line cannot say what is no number.
        (std::mem::take(&mut level.1) && level.0.is_finite()).then_some(level.0)
    }
}

impl GaugeFn for Level {
    fn increment(&self, value: f64) {
        self.change(|level| level + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|level| level - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

/// The values since they were last told.
#[derive(Debug, Default)]
pub(super) struct Values(Mutex<Vec<f64>>);

impl Values {
    pub(super) fn news(&self) -> Vec<f64> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        let mut values = lock(&self.0);
        // A line cannot say what is no number.
        if value.is_finite() && values.len() < MOST_VALUES {
            values.push(value);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
