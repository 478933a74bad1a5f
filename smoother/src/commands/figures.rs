//! Numbers as people read them; the planner's reports have them the same way.

pub use smoother_plan::figures::{grouped, span};
