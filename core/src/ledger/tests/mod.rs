//! The ledger against limiters written for its tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss
)]

mod calls;
mod learned;
pub(crate) mod limiters;
mod probes;
mod promises;
mod quota;
mod refusals;
mod restart;
mod windows;

use super::{CallKey, Ledger, Margins};
use crate::config::{LaneConfig, Pacing};
use crate::scheduler::tests::world;
use crate::units::{Timestamp, Tokens};

pub(crate) use world::at;

fn key(number: u64) -> CallKey {
    (world::id(number), crate::ids::CallNo::new(1))
}

fn lane(tokens: u64, requests: Option<u64>, pacing: Pacing) -> LaneConfig {
    world::lane(tokens, requests, pacing)
}

fn ledger(lane: &LaneConfig) -> Ledger {
    Ledger::new(lane, Margins::default(), at(0))
}

fn tokens(number: u64) -> Tokens {
    Tokens::new(number)
}

/// The next minute's turn by the wall clock, in milliseconds after the tests' start.
fn next_minute() -> u64 {
    60_000 - world::START % 60_000
}

fn midnight() -> Timestamp {
    let day = 86_400_000;
    Timestamp::from_millis((world::START / day + 1) * day)
}
