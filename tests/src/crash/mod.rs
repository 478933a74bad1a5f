//! Kill -9, for real: a server that is killed again and again under load, and an audit of what it had promised.
//!
//! ```text
//! driver ──▶ simulator         its own process, never killed; its call log is one witness
//!    │  └──▶ smoother serve    killed while it starts, serves and drains; same folder, same port
//!    └─────▶ clients           several processes; each writes down what it was told, into a file of its own
//!                 all of it ──▶ Records ──▶ audit ──▶ faults, each with the request's whole history
//! ```
//! [`plan`] makes the whole run of one seed: what is asked, by which door, and when the server is struck. Real
//! processes differ in their timing, so a seed replays the schedule and not the interleaving. [`audit`] is pure: it
//! reads the records of a run, from memory or from the folder a failed run leaves, and shares no code with what it
//! judges.

pub mod audit;
pub mod client;
pub mod driver;
pub mod plan;
pub mod records;
pub mod report;
mod wall;
