//! The report: sections of tables with what is needed to read and repeat them.

mod machine;
mod section;
mod table;

pub use machine::machine;
pub use section::{Section, markdown};
pub use table::{Table, figure, megabytes, millis, percent};
