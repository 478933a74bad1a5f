//! Measures the smoother beside the direct call and beside what a user would pick instead.
//!
//! A *workload* (`bench/workloads/*.toml`) says what is asked for and of which simulator; a *target*
//! (`bench/targets/*.toml`) says what stands between the client and the simulator, or which other client
//! does the asking. Both are data: one more gateway to compare with is one more file.
//!
//! The client side runs in processes of its own (`smoother-bench client`, or a target's own command), which
//! read a plan from stdin and write what happened to stdout ([`plan`]). Open-loop latencies count from the
//! moment a call was *due*, so a client that falls behind reports it as latency rather than hiding it.

mod bound;
pub mod cli;
pub mod client;
mod driver;
mod files;
mod measure;
pub mod plan;
mod process;
mod report;
mod stats;
mod trace;
mod wire;
