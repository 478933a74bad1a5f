//! Jobs as their owners read them: listed, one by one, and their results.

pub mod list;
pub mod result;
pub mod status;
mod timings;
pub mod view;
