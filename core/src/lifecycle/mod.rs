//! The life of a request: a pure type with only the allowed transitions.
//!
//! ```text
//! RECEIVED → QUEUED → RELEASED → RUNNING → COMPLETED
//!               ▲________│__________│ └───▶ FAILED
//!            start_by     retry, snooze, rerun, fallback; a lost claim: QUEUED, FAILED or CANCELLED by policy
//! CANCELLED and EXPIRED from any state before a terminal one
//! ```
//!
//! A request that waits may be resized: it stays QUEUED and goes with a smaller max_tokens.
//!
//! A release that may never have been recorded is made void: its call number is spent while the request stays
//! QUEUED, and a write of it that is still on its way is refused.
//!
//! A [`Change`] names the call it belongs to. [`apply`] refuses whatever comes from a call that is no longer
//! the request's own, so a worker that was paused, or a message that came twice, can change nothing. Every
//! store applies it under a condition on the row's `rev`; the row itself is built here and nowhere else.

mod apply;
mod change;
mod restart;
mod state;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use change::{Change, Leaving, Refused};
pub use restart::after_restart;
pub use state::State;
