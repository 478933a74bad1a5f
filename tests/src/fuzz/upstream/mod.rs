//! Answers from upstream as texts, and the adapter in front of a server that gives them.

mod adapter;
mod reply;

pub use adapter::Adapter;
pub use reply::Reply;

/// The model that is called.
pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
