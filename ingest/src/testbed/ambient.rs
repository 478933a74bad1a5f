use smoother_core::Timestamp;
use smoother_core::ports::{Clock, Entropy};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Follows tokio's clock, which tests pause and move.
pub(crate) struct VirtualClock(Instant);

impl VirtualClock {
    #[allow(clippy::disallowed_methods, reason = "tokio's own clock is virtual in tests")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(1_800_000_000_000 + elapsed)
    }
}

/// Never the same twice.
#[derive(Default)]
pub(super) struct Counted(AtomicU64);

impl Entropy for Counted {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    fn below(&self, _bound: u64) -> u64 {
        0
    }
}
