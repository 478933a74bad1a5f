//! Sets up one run — simulator, target, clients — and takes it down again.

mod calls;
mod clients;
mod stand;

pub use calls::{Schedule, calls, job};
pub use clients::run as run_clients;
pub use stand::{Bench, Stand};
