//! The configuration: one typed value, read once, every mistake named.

mod types;

pub use types::{Config, Durability, LaneConfig, Pacing, PriorityWeights, ServerConfig, TenantConfig};
