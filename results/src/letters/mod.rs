//! Dead letters: jobs that failed by no fault of their own and wait for an operator. Read here; sent on their way
//! again or dropped by ingest.

pub mod list;
pub mod one;
mod view;
