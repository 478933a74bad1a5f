//! Drives core's scheduler for one lane: load, step, record, release.
//!
//! On one machine one task holds one lane ([`Lane`]); where several processes may want to, one of them does at a time
//! ([`hold`]). Both drive it alike. Whatever happens to the lane's requests reaches it as an [`Event`]; the scheduler
//! answers with commands; the task carries them out. It decides nothing itself, and no timer stands between an
//! arrival and its release: a lane with room releases in the very step that the arrival caused.
//!
//! A release is recorded before a worker may act on it. Where the store commits in order the two go out
//! together, because the worker's claim cannot become durable before the release it claims; elsewhere the task
//! waits for the record first.
//!
//! [`Event`]: smoother_core::scheduler::Event

mod carry_out;
mod desk;
mod drive;
mod hold;
mod lane;
mod leave;
mod resync;
#[cfg(test)]
mod tests;

pub use desk::{Desk, Question, Questions};
pub use hold::{HoldEnd, HoldFailure, HoldPorts, hold};
pub use lane::{Lane, LanePorts, LoadError};
