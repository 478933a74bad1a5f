//! Simulation of the whole pipeline in virtual time: ways in, lanes, worker and outbox, wired as the server wires
//! them, over adapters in memory that fail, delay, double, lose and crash; random callers; and a judge that holds
//! every promise against what became durable and what went upstream.
//!
//! ```text
//! callers ─▶ house (ingest, lanes, worker, results) ─▶ rig (life, faults, what is broken) ─▶ memory (world)
//!                     │                                            │
//!                     └──────────────▶ upstream (quota) ──▶ judge ◀┘ journal of commits
//! ```
//! One seed is one run, and replays it to the last event.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bounds;
mod broken;
mod callers;
mod calm;
mod house;
mod judge;
mod life;
mod promises;
mod quota;
mod rig;
mod rules;
mod run;
mod scenario;
mod seeds;
mod tests;
mod town;
mod turns;
mod upstream;
mod weather;
