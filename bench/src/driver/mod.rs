//! Sets up one run — simulator, target, clients — and takes it down again.

mod bench;
mod calls;
mod clients;
mod install;
mod speak;
mod stand;

pub use bench::Bench;
pub use calls::{Schedule, calls, replay};
pub use clients::run as run_clients;
pub use speak::job;
pub use stand::Stand;
