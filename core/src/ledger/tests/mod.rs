//! The ledger against limiters written for its tests.

pub(crate) mod limiters;
