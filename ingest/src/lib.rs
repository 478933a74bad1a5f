//! The way in: HTTP doors, validation, routing, estimate, store.
//!
//! Every door does the same: it parses its wire into a [`Submission`], has it accepted, and renders what comes
//! back.
//!
//! 1. **Prepare.** The body is read once, the model leads to its lane, the cost is estimated, and what cannot be
//!    served is refused, naming the limit.
//! 2. **Store.** The row and its body are written; a key that is known leads to the row that is there.
//! 3. **Arrive.** The lane's scheduler is told. Where the store commits in order, that need not wait for the write.
//!
//! A job's door answers once the write is durable. A synchronous door goes on to read along until the request's
//! end is durable.

mod admit;
mod body;
mod callers;
mod cancel;
mod chain;
mod enter;
mod free_lane;
mod hand;
mod http;
mod ingest;
mod input;
mod job;
mod join;
mod json;
mod key;
mod learned;
mod letters;
mod line;
mod meter;
mod meters;
mod patience;
mod place;
mod pointed;
mod prepare;
mod presence;
mod priority;
mod recall;
mod refusal;
mod resize;
mod route;
mod sockets;
mod spans;
mod submission;
mod submit;
mod teacher;
mod tenant;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod tests;
mod whole;

pub use ingest::{Ingest, IngestPorts};
pub use input::{Arriving, Input, Senders, Taken};
pub use job::JobForm;
pub use key::Key;
pub use refusal::Refusal;
pub use sockets::Said;
pub use submission::{Accepted, Submission};
pub use teacher::{Teacher, TeacherPorts};
