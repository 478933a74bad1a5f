//! Every port in memory, for conformance and for simulations of the whole pipeline.
//!
//! A [`World`] holds what survives: rows, calls, payloads and the outbox. A [`Process`] is booted in it and has
//! the adapters; what it began and what is not yet committed dies with it ([`Process::crash`]). Every operation
//! passes a fault point ([`Point`]) where a plan decides its [`Fate`]; without a plan everything goes well.
//!
//! ```text
//!   Process ── store, payloads, outbox ─▶ fault point ─▶ pending writes ─▶ commit ─▶ durable tables
//!           ── lanes, dispatch ─────────▶ fault point ─▶ channels of this process
//!           ── live                          (in memory, as on one machine)
//!   World   ── model ───────────────────▶ fault point ─▶ script, recorded as upstream saw it
//! ```
//!
//! A world does no I/O, takes its time from tokio's clock and its chance from one seed: in a current-thread
//! runtime with paused time, the same seed and the same calls give the same run. Commits come in the order in
//! which writes were begun, as on one machine, or each at its own time ([`Options::ordered`]), as in a
//! distributed store. Every change of a row goes through [`smoother_core::lifecycle::apply`].

mod ambient;
mod commits;
mod fault;
mod held;
mod hold;
mod indexes;
mod journal;
mod live;
mod mail;
mod model;
mod outbox;
mod payloads;
mod process;
mod queues;
mod store;
mod tables;
mod tamper;
mod world;

pub use ambient::{WorldClock, WorldEntropy};
pub use fault::{Fate, Point, Touched};
pub use held::StaleWrites;
pub use hold::MemoryHold;
pub use journal::Entry;
pub use live::MemoryLive;
pub use mail::{Mail, Post, PostOffice, Taken};
pub use model::{Made, MemoryModel, Script, Step, Upstream};
pub use process::{Process, ProcessNo};
pub use queues::{MemoryDispatch, MemoryLanes};
pub use store::MemoryStore;
pub use world::{Options, World};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere: a failed test must not hide behind a second panic.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
