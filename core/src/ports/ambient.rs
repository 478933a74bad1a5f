//! Time and chance, which core never takes for itself.

use crate::units::Timestamp;

/// The time of this process.
pub trait Clock: Send + Sync {
    /// Now, never earlier than the last answer.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, as fine as the machine has it: for measuring spans, never for deciding.
    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.now().as_millis())
    }
}

/// Random numbers; the simulation tests give a seeded source.
pub trait Entropy: Send + Sync {
    /// Ten random bytes, as an id needs.
    fn bytes(&self) -> [u8; 10];

    /// Evenly from 0 (inclusive) to `bound` (exclusive); 0 where `bound` is 0.
    fn below(&self, bound: u64) -> u64;
}
