//! The simulator over HTTP, without any SDK: what is on the wire, what is counted, what goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aborts;
mod admin;
mod client;
mod errors;
mod faults;
mod garbled;
mod quotas;
mod regions;
mod scripts;
mod wire;
