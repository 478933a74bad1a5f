//! Simulation of lanes that pass from holder to holder, in virtual time: holders that are paused, killed, called for
//! nothing and called twice, producers that die between storing and telling, workers that are lost in mid-call, clocks
//! that are minutes off and that are set by minutes, indexes that lag, events that come late and twice; and a judge that
//! knows every call.
//!
//! ```text
//! producers ─▶ store ─┐                          ┌─▶ dispatch ─▶ workers ─▶ upstream (exact limiters) ─▶ judge
//!     └─▶ lane's queue ┴─▶ holders (prioritizer) ─┘      └──▶ lane's queue
//!            └─▶ whoever tells a lane looks at its holder's promise, and calls one
//! ```
//! One seed is one run, and replays it to the last event.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broken;
mod clock;
mod holders;
mod judge;
mod old_news;
mod pause;
mod producers;
mod run;
mod scenario;
mod steps;
mod teller;
mod tests;
mod town;
mod workers;
