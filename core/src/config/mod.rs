//! The configuration: one typed value, read once, every mistake named.
//!
//! [`Config::load`] takes the text of a file and the environment as arguments, since core reads neither. Both are
//! brought into one form, a value per key with the place it came from; the environment overrides the file. What a
//! key allows stands in one table, [`KEYS`], by which keys are known, read, checked, reported and documented.
//! Reading goes on after a mistake, so that all of them are reported at once.

mod build;
mod check;
mod differences;
mod env;
mod fallback;
mod file;
mod keys;
mod lanes;
mod limits;
mod mistake;
mod models;
mod read;
mod settings;
mod suggest;
mod types;

#[cfg(test)]
mod tests;

pub use differences::{CannotReload, Difference, differences, reload};
pub use keys::{KEYS, Key, Kind, Preset};
pub use limits::{Admission, Bound, Limits};
pub use mistake::{ConfigErrors, Mistake, Source};
pub use models::{burndown_of, max_output_of};
pub use types::{
    Config, Durability, FallbackConfig, LaneConfig, Pacing, PriorityWeights, ServerConfig, TenantConfig,
};
