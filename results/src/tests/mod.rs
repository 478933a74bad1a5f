//! The doors and the outbox against small ports in memory.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fakes;
mod jobs;
mod lanes;
mod letters;
mod outbox;
mod result;
mod tenants;
mod world;
