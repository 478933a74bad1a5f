//! The worker against the real store and hub, with a model that plays a script.

mod breaking;
mod calls;
mod configured;
mod failures;
mod fallbacks;
mod faults;
mod right_size;
mod stage;
mod storing;
mod streams;
