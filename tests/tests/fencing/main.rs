//! Claims and fences: a lane, two workers and the real store, and whatever comes late, twice or after all.
//!
//! The test is the post between them. It holds a release back, hands it over twice, and answers for the model when
//! it likes, so that each order of events is one it has chosen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod called_again;
mod claims;
mod ended;
mod post;
mod stage;
