//! Makes one call: claim, call, stream, judge, settle.
//!
//! A worker is handed released requests and makes each one's call exactly once:
//!
//! 1. **Claim.** A conditional write fences the call number; whoever loses it does nothing more. The write is
//!    durable before a byte goes upstream.
//! 2. **Call.** The model port answers with a stream of events; a whole answer is a stream collected. Frames go
//!    to whoever is reading as they come, but only from the first generated content on: until then the call may
//!    still be retried without anybody having seen half an answer.
//! 3. **Judge.** Core's verdict table says what the outcome means: done, again, later, or over.
//! 4. **Settle.** What the call cost, and what follows for the request, go into the store in one commit; the
//!    lane is told, and so are the readers, after it.

mod attempt;
mod conclude;
mod meters;
mod opening;
mod runner;
mod settle;
#[cfg(test)]
mod tests;

pub use opening::OpeningPace;
pub use runner::{NotTaken, Worker, WorkerPorts};
