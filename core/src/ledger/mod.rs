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
//! refusals that no ledger explains, lowered by rare accepted probes. `eager` finds out by elimination which kind stands
//! upstream (`suspects`) and lets go what those that are left would.
//!
//! In the bed of `scheduler/tests/pacing` (ten seeds; bucket of 10 s / of 60 s / fixed / sliding minute; 60 ms there and
//! back, clocks 0.3 s apart; the bound is one who sees the limiter's true state):
//!
//! | | `auto` | `eager` |
//! |---|---|---|
//! | burst A: refused, % | 0.15 / 0 / 0 / 0 | 0.83 / 0.11 / 0.34 / 0.80 |
//! | burst A: drain, parts of the bound | 1.04 / 1.93 / 1.96 / 1.34 | 1.02 / 1.02 / 1.07 / 1.06 |
//! | burst B: refused, % | 0.02 / 0 / 0 / 0 | 0.31 / 0 / 0.14 / 0.26 |
//! | burst B: drain, parts of the bound | 1.03 / 1.86 / 1.90 / 1.33 | 1.01 / 1.02 / 1.08 / 1.02 |
//! | backlog of 10 min: use of the quota, % | 96.7 / 96.7 / 96.7 / 96.3 | 100.6 / 108.9 / 105.6 / 99.0 |
//! | backlog of 10 min: refused, % | 0.01 / 0 / 0 / 0.10 | 0.22 / 0.01 / 0.07 / 0.22 |
//! | another client takes 30 %: refused, % | 1.4 / 0.9 / 1.8 / 1.8 | 3.1 / 2.2 / 3.5 / 4.1 |
//! | quota believed 10 % too high: refused, % | 0.4 / 0 / 0.4 / 0.5 | 0.9 / 2.1 / 2.7 / 1.5 |
//!
//! Where others share the quota, or it is not what is configured, `auto` is the better choice: a limiter that is
//! somebody else's too cannot be told from another kind of limiter.
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
mod kinds;
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
