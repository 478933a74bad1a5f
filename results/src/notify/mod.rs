//! Telling those who are not in this process: the results queue, a topic, WebSocket connections.
//!
//! One [`Herald`] makes the message of an end once and sends it everywhere. It is a listener of the outbox like any
//! other ([`Notify`]), so an end is told at least once to each; who was told twice knows it by the event's id.

mod herald;
mod message;
#[cfg(test)]
mod tests;

pub use herald::{Herald, Outlets};
