//! The scheduler in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::needless_pass_by_value
)]

mod admission;
mod bounds;
mod calls;
mod caps;
mod chaos;
mod failing;
mod forecasts;
mod holders;
mod kept;
mod lifecycle;
mod lines;
mod memory;
mod order;
mod pacing;
mod promises;
mod reference;
mod reported;
mod sent_on;
mod shares;
mod shedding;
mod sizes;
mod speed;
mod upstream;
mod urgent;
mod window;
pub(crate) mod world;

use super::{Again, Command, Event, Scheduler, SchedulerConfig};
use crate::breaker::CallHealth;
use crate::ids::{CallNo, RequestId};
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, Tokens};
use world::at;

fn scheduler(config: SchedulerConfig) -> Scheduler {
    Scheduler::new(config, at(0))
}

fn started(request: RequestId, call: u32, ms: u64) -> Event {
    Event::Started {
        request,
        call: CallNo::new(call),
        at: at(ms),
    }
}

fn ended(request: RequestId, call: u32, charged: u64, ms: u64) -> Event {
    Event::Ended {
        request,
        call: CallNo::new(call),
        charged: Tokens::new(charged),
        throttle: None,
        again: Again::No,
        health: CallHealth::Fine,
        at: at(ms),
    }
}

fn throttled(request: RequestId, call: u32, cause: ThrottleCause, again: Timestamp) -> Event {
    Event::Ended {
        request,
        call: CallNo::new(call),
        charged: Tokens::ZERO,
        throttle: Some(cause),
        again: Again::NotBefore(again),
        health: CallHealth::Fine,
        at: again,
    }
}

/// The requests that were let go, in order, with their calls' numbers.
fn released(commands: &[Command]) -> Vec<(RequestId, u32)> {
    let release = |command: &Command| match command {
        Command::Release { request, call, .. } => Some((*request, call.get())),
        _ => None,
    };
    commands.iter().filter_map(release).collect()
}

fn wake(commands: &[Command]) -> Option<Timestamp> {
    match commands.last() {
        Some(Command::WakeAt(at)) => Some(*at),
        _ => None,
    }
}
