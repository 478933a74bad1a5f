//! Inputs that nobody would send on purpose, at every place where the house takes bytes from outside.
//!
//! An input is a sequence of bytes, kept as a file under `tests/fuzz-corpus/<target>`. A [`Target`] feeds one to a
//! part of the house and judges what came of it; a campaign ([`run::Campaign`]) mutates the corpus for a number of
//! cases or a span of time, by a seed that it names. An input that breaks a property is shrunk and kept in the
//! corpus, so that every later run begins with it.
//!
//! ```text
//! corpus ─▶ mutate (JSON, HTTP, TOML, frames, bytes) ─▶ guard (panic, time, memory) ─▶ target ─▶ verdict
//!    ▲                                                                                              │ fault
//!    └────────────────────────────────────── shrink ◀───────────────────────────────────────────────┘
//! ```
//!
//! What holds for every case: no panic, bounded time and memory, no 5xx for what the caller sent, and a refusal in
//! the API's words ([`words`]). What else must hold, each target says.

pub mod corpus;
pub mod fault;
pub mod guard;
pub mod house;
pub mod mutate;
pub mod report;
pub mod run;
pub mod shrink;
pub mod targets;
pub mod trial;
pub mod upstream;
pub mod words;

pub use fault::{Fault, Kind, Target, Verdict};
