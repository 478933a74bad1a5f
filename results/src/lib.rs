//! The way out: payloads, job status, lanes, health and metrics, and the outbox.
//!
//! Two halves. [`Results::router`] answers whoever asks: it reads rows, payloads and lanes, and changes none.
//! [`Results::run_outbox`] tells whoever waits: every terminal state stands in the outbox, in the same commit as
//! the state itself, and leaves it only when every [`Notify`] has taken it.
//!
//! ```text
//! store ─▶ outbox ─┬▶ Live and metrics ─┐
//!                  └▶ each hook ────────┴▶ told up to the slowest of them
//! ```

mod access;
mod health;
mod jobs;
mod lanes;
mod letters;
mod listing;
mod notify;
mod observe;
mod outbox;
mod problem;
mod query;
mod rfc3339;
mod router;
mod service;
#[cfg(test)]
mod tests;
mod wait;

pub use health::{Probes, Readiness};
pub use notify::{Herald, Outlets};
pub use observe::{describe_metrics, show};
pub use outbox::{Notify, NotifyError};
pub use router::{no_such_door, no_such_method};
pub use service::{Results, ResultsConfig, ResultsPorts};
