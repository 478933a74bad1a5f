//! Who goes next in one lane.

mod event;
mod view;

pub use event::{Again, Command, Event, Gone, Waiting};
pub use view::{Forecast, LaneView, LimitView, WaitingView};
