//! Commands against a small server in this process: what they print, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batches;
mod jobs;
mod server;
mod shell;
