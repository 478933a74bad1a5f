//! A broken disk under the real server.
//!
//! ```text
//! callers ──▶ smoother serve ──▶ libc, stood in for by tests/disk ──▶ files
//!    │                                  │ log: every change and sync, in order
//!    │ told: what, and how              ▼
//!    │ long the log was by then ──▶ Model at any moment of the log ──▶ Image after a power cut there
//!    ▼                                                                    │
//!  audit ◀── smoother serve, on a good disk that holds the image ◀────────┘
//! ```
//! [`power`] runs that many times, life after life; [`log`], [`model`] and [`image`] are pure. What breaks while the
//! server runs is a rule of [`server::Place::rule`].

pub mod audit;
pub mod image;
pub mod load;
pub mod log;
pub mod model;
pub mod power;
pub mod server;
