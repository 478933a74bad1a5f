//! The AWS SDK for Rust, with its default retries and timeouts, against the running programs: only the endpoint
//! is changed. `make test` builds the programs first.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod house;
mod operations;
