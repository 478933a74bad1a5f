//! What a call's outcome means: a verdict for every way in which a call can end.
//!
//! The port classifies what it met ([`classify`]), the worker asks [`judge`] what to do, writes it, and charges
//! the lane by [`Bill::charge`]. Nothing but this module decides whether a call is made again: the AWS SDK's own
//! retries are off, since stacked retry layers pay for a generation twice.
//!
//! Throttled is an outcome, not a failure: it makes a call but spends no try, and its request goes back to the
//! head of its tenant.

mod backoff;
mod bill;
mod classify;
mod failure;
mod judge;
mod lost;

pub use backoff::{Backoff, Jitter};
pub use bill::Bill;
pub use classify::classify;
pub use failure::{failure_of, wire_name};
pub use judge::{Rule, Situation, Verdict, ending_of, judge, rule, throttle_of};
pub use lost::{NotAgain, lost};
