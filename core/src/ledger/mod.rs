//! What a lane may still spend: the quota ledger.
//!
//! A lane's limits form a vector: tokens a minute and requests a minute under the lane's pacing ([`Margins`]
//! says how far below the quota), tokens of a UTC day, and calls at once. One reservation takes from all of
//! them or from none.
//!
//! ```text
//! reserve ──▶ held: counts in full, whatever moment is asked
//!    │            │ started(at): Bedrock charges when a call starts, so the charge is dated to that
//!    │ release    ▼
//!    ◀──────── charged ── settle(actual): what it cost less is credited, to buckets now and to windows
//!    back in full           where it was charged; what it cost more is charged now, as a debt
//! ```
//!
//! Every step names its call by request and number and happens once: a repeated or late one changes nothing.
//! All of it is integer arithmetic; time is an argument.

mod book;
mod bucket;
mod day;
mod fixed;
mod limits;
mod margins;
mod pace;
mod pause;
mod recovery;
mod refusal;
mod showing;
mod sliding;
mod slots;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod wait;

pub use book::Ledger;
pub use limits::{NeverFits, fits};
pub use margins::Margins;
pub use snapshot::LedgerSnapshot;
pub use wait::Wait;

use crate::ids::{CallNo, RequestId};

/// One call: its request and its number.
pub type CallKey = (RequestId, CallNo);
