//! Every adapter of every port, held to the one suite; and the suite, held to biting.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broken;
mod embedded;
mod memory;
mod simulator;
mod world;
