//! `Store`, `Payloads` and `Outbox`: what is durable, and that it is.

mod bed;
pub mod changes;
pub mod ends;
pub mod inserts;
pub mod letters;
pub mod listing;
pub mod outbox;
pub mod payloads;
pub mod recovery;
pub mod walk;
pub mod writes;

pub use bed::{Bed, Ports, Restart, Stand};

use super::Case;

/// Every list of cases, by name.
pub const ALL: [(&str, &[Case<Bed>]); 10] = [
    ("changes", changes::CASES),
    ("ends", ends::CASES),
    ("inserts", inserts::CASES),
    ("letters", letters::CASES),
    ("listing", listing::CASES),
    ("outbox", outbox::CASES),
    ("payloads", payloads::CASES),
    ("recovery", recovery::CASES),
    ("walk", walk::CASES),
    ("writes", writes::CASES),
];
