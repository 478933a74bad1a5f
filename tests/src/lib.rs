//! Tests over the whole house: rules of the workspace, conformance, end to end.

pub mod conformance;
pub mod crash;
pub mod disk;
pub mod fuzz;
pub mod http;
pub mod memory;
