//! A lane's task against the real store: it releases at once, records before it tells, and mends what it missed.

mod configured;
mod faults;
mod lane;
mod leaving;
mod mending;
mod stage;
mod turns;
