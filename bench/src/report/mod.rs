//! The report: sections of tables and pictures with what is needed to read and repeat them.

mod machine;
mod page;
mod plot;
mod section;
mod table;

pub use machine::machine;
pub use page::{Kept, Report};
pub use plot::{Axis, Group, Plot, Value};
pub use section::{Findings, Made, Section, commit};
pub use table::{Note, Table, figure, megabytes, millis, percent};
