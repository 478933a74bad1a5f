//! How long a lease and its promise last.

use crate::units::Millis;

/// What the clocks of two machines may differ by.
pub const SKEW: Millis = Millis::from_secs(2);
/// A lease that is not renewed lasts so long.
pub const LEASE_FOR: Millis = Millis::from_secs(15);
/// It is renewed at a third of that.
pub const RENEW_EVERY: Millis = Millis::from_secs(5);
/// At two thirds of it, by its own monotonic clock, a holder that could not renew it stops.
pub const STOP_AFTER: Millis = Millis::from_secs(10);
/// Each renewal promises to read the lane's queue for so long: twice the time to the next one, so that between two
/// renewals the promise never ends within [`SKEW`].
pub const AWAKE_FOR: Millis = Millis::from_secs(10);
