//! The real binary on this machine, as Lambda runs it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod panics;
mod roles;
mod starts;
mod support;
