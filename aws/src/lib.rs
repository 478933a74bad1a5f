//! The ports on AWS.
//!
//! | port | here | on |
//! |---|---|---|
//! | requests, calls, payloads | [`DynamoStore`] | DynamoDB, S3 |
//! | holding lanes | [`DynamoHold`] | DynamoDB |
//! | what is known of outputs | [`DynamoOutputs`] | DynamoDB |
//! | WebSocket connections | [`DynamoConnections`] | DynamoDB |
//! | bodies that producers point to | [`Inbox`] | S3 |
//! | places for large bodies | [`SignedUploads`] | S3 |
//! | the outbox | [`table::stream`], [`PushedOutbox`] | DynamoDB Streams |
//! | lane queues, both ends; dispatch; the way out | [`queues`] | SQS |
//! | who is told of ends | [`SnsTopic`], [`GatewaySockets`] | SNS, API Gateway |
//! | waking a lane's holder | [`wake`] | Lambda |
//! | what requests are doing | [`Watching`] | the table, read while somebody waits |
//! | how lanes stand | [`StoredViews`] | DynamoDB |
//! | metrics | [`EmbeddedMetrics`] | CloudWatch Logs |
//!
//! Every call is made by the SDK with its retries off, and asked again, where that is safe, by [`Patience`].

pub mod clients;
mod clock;
mod connections;
pub mod env;
mod fault;
mod hold;
mod metrics;
mod objects;
mod outputs;
mod pushed;
pub mod queues;
mod retry;
#[cfg(test)]
mod script;
pub mod sockets;
mod store;
pub mod table;
pub mod topic;
mod views;
pub mod wake;
mod watch;

pub use self::metrics::EmbeddedMetrics;
pub use clock::WallClock;
pub use connections::DynamoConnections;
pub use hold::{Deployed, DynamoHold};
pub use objects::{Inbox, SignedUploads};
pub use outputs::DynamoOutputs;
pub use pushed::PushedOutbox;
pub use retry::Patience;
pub use sockets::GatewaySockets;
pub use store::{DynamoStore, Parts};
pub use table::row::{Lifetimes, Terms};
pub use topic::SnsTopic;
pub use views::{Reports, StoredViews};
pub use watch::Watching;
