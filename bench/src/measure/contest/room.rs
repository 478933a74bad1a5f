//! How many runs go on at once, and how many did: calls mostly wait, so runs may share a machine, but not so many that
//! they wait for the machine.

use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Room for runs, taken in turn.
#[derive(Debug)]
pub(super) struct Room {
    places: Semaphore,
    size: usize,
}

impl Room {
    pub(super) fn new(size: usize) -> Self {
        let size = size.max(1);
        Self {
            places: Semaphore::new(size),
            size,
        }
    }

    /// Waits for so many places; who came first has them first. A run that needs more than there are has all of them.
    pub(super) async fn turn(&self, weight: usize) -> anyhow::Result<SemaphorePermit<'_>> {
        let weight = weight.clamp(1, self.size);
        Ok(self.places.acquire_many(u32::try_from(weight)?).await?)
    }
}

/// When a run went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Span {
    fn length(self) -> Duration {
        self.until.saturating_duration_since(self.from)
    }

    fn shared(self, other: Self) -> Duration {
        let until = self.until.min(other.until);
        until.saturating_duration_since(self.from.max(other.from))
    }

    /// How many of `all`, of which it is one, went on during it, on average.
    pub(super) fn at_once(self, all: &[Self]) -> f64 {
        let shared: Duration = all.iter().map(|other| self.shared(*other)).sum();
        shared.as_secs_f64() / self.length().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn weights_share_the_room_and_none_is_too_heavy_for_it() {
        let room = Room::new(3);
        let light = room.turn(1).now_or_never().unwrap().unwrap();
        let middle = room.turn(2).now_or_never().unwrap().unwrap();
        assert!(room.turn(1).now_or_never().is_none());
        drop((light, middle));
        let heavy = room.turn(9).now_or_never().unwrap().unwrap();
        assert!(room.turn(1).now_or_never().is_none());
        drop(heavy);
        assert!(room.turn(1).now_or_never().is_some());
    }

    #[test]
    fn runs_at_once_are_counted_over_a_runs_time() {
        let start = Instant::now();
        let span = |from: u64, until: u64| Span {
            from: start + Duration::from_secs(from),
            until: start + Duration::from_secs(until),
        };
        let all = [span(0, 10), span(5, 15), span(20, 30)];
        let counts: Vec<f64> = all.iter().map(|each| each.at_once(&all)).collect();
        assert_eq!(counts, [1.5, 1.5, 1.0]);
    }
}
