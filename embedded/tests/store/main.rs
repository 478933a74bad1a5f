//! The store on one machine, through its ports, on a real directory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod basics;
mod brim;
mod callers;
mod commits;
mod damage;
mod disk;
mod fixture;
mod full;
mod listing;
mod log;
mod model;
mod outbox;
mod payloads;
mod restart;
mod retention;
mod verify;
