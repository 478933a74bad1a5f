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
//! # Pacing
//! Bedrock's limiter is not published. `auto` keeps a ledger for each kind that quota services are known to use and
//! lets go what all of them would (`pace`). What other clients of the account take scales them (`others`): raised by
//! refusals that no ledger explains, lowered by rare accepted probes, and never above what they would be without it.
//! `eager` finds out by elimination which kind stands upstream (`suspects`) and lets go what those that are left would;
//! requests follow it as far as no refusal speaks against that (`doubts`). What was learned is kept (`memory`).
//!
//! The figures are in docs/pacing.md, written by `make pacing`; what was tried and dropped stands in `others` and
//! `suspects`. Where others share the quota, or it is not what is configured, `auto` is the better choice: a limiter
//! that is somebody else's too cannot be told from another kind of limiter.
//!
//! Every step names its call by request and number and happens once: a repeated or late one changes nothing.
//! All of it is integer arithmetic; time is an argument.

mod book;
mod bucket;
mod day;
mod demand;
mod doubts;
mod fixed;
mod keeping;
mod kept;
mod kinds;
mod lately;
mod learning;
mod ledgers;
mod limits;
mod margins;
mod memory;
mod others;
mod pace;
mod pause;
mod probe;
mod ramp;
mod recovery;
mod refusal;
mod showing;
mod sliding;
mod slots;
mod snapshot;
mod spells;
mod suspects;
#[cfg(test)]
pub(crate) mod tests;
mod wait;

pub use book::Ledger;
pub use demand::Demand;
pub use limits::{NeverFits, fits};
pub use margins::Margins;
pub use memory::PacingMemory;
pub use snapshot::LedgerSnapshot;
pub use wait::Wait;

use crate::ids::{CallNo, RequestId};

/// One call: its request and its number.
pub type CallKey = (RequestId, CallNo);
