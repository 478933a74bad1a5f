//! The report: sections of tables and pictures with what is needed to read and repeat them.

mod machine;
mod plot;
mod section;
mod table;

pub use machine::machine;
pub use plot::{Axis, Group, Plot, Value};
pub use section::{Findings, Section, pictures, report};
pub use table::{Table, figure, megabytes, millis, percent};
