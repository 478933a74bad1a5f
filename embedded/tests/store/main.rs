//! The store on one machine, on a real directory: what its files, commits and damage are like. What every store
//! does behind its ports stands in the conformance suite.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod brim;
mod callers;
mod commits;
mod concurrent;
mod damage;
mod disk;
mod events;
mod fixture;
mod full;
mod log;
mod outbox;
mod outputs;
mod payloads;
mod restart;
mod retention;
mod upgrade;
mod verify;
