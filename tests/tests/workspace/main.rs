//! The rules of the house, held over `cargo metadata`: who may use whom, where the AWS SDK may be,
//! what every crate inherits, and under which licences the dependencies come.
#![allow(clippy::expect_used)]

mod crates;
mod dependencies;
mod graph;
mod licences;
