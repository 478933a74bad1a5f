//! The scheduler in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod bursts;
pub(crate) mod world;
