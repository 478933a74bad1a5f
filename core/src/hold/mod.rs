//! Who holds a lane where several processes may: the lease, and when it may be taken.
//!
//! ```text
//!            take: epoch + 1                    renew every RENEW_EVERY: later expiry, later promise
//!   free ─────────────────────▶ held ◀──────────────────────────────────┐
//!    ▲                           │ └────────────────────────────────────┘
//!    │   give back               │ no renewal any more: let the promise pass, look once more at what has come
//!    └──────────────────────── leaving
//! ```
//!
//! Safety rests on the epoch alone: whoever takes a lease raises it, and fences the lane's ledger with it before
//! reading it, so that a holder that was paused writes nothing any more. Clocks only decide how soon a lease is taken
//! that its holder left behind. The promise `awake_until` is for those who tell the lane something: it is never taken
//! back, and before it has passed its holder reads the lane's queue.

mod lease;
mod times;

pub use lease::{Epoch, Finding, Lease, find};
pub use times::{AWAKE_FOR, LEASE_FOR, RENEW_EVERY, SKEW, STOP_AFTER};
