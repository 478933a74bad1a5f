//! Who goes next in one lane.

mod config;
mod event;
mod lane;
mod view;

pub use config::SchedulerConfig;
pub use event::{Again, Command, Event, Gone, Waiting};
pub use lane::Scheduler;
pub use view::{Forecast, LaneView, LimitView, WaitingView};
