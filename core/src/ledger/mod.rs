//! What a lane may still spend.

mod limits;

pub use limits::{NeverFits, fits};
