//! The report as one page that needs nothing else: no script, no font, no address to load from.

mod chart;
mod page;
mod plots;
mod scale;
mod tables;

pub use page::page;
