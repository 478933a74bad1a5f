//! What every adapter of a port must do, as one set of tests that each of them runs.
//!
//! A port's cases stand in a module of its own. Each case is handed a fresh stand, behind which the adapters
//! are, and panics where the port's promise is not kept. A new set of adapters plugs in by implementing the
//! stand's small trait ([`store::Stand`], [`queues::Stand`], [`model::Stand`]; `Live`, `Clock` and `Entropy`
//! need none) and calling [`pass`] for each list of cases:
//!
//! ```ignore
//! pass(store::inserts::CASES, || async { Bed::new(Box::new(MyStand::fresh().await)) }).await;
//! ```
//!
//! What only some adapters promise a stand declares, and the cases ask for it. The suite itself is held to by
//! adapters that are broken on purpose: each must fail the cases made for its fault.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "cases are tests: a failed expectation is how they speak"
)]

pub mod ambient;
pub mod hold;
pub mod live;
pub mod model;
pub mod queues;
pub mod store;
mod suite;
mod words;

pub use suite::{Case, failures, pass};
pub use words::{at, id, lane, request};
