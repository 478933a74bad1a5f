//! The scheduler of one lane.

use super::{Command, Event, Forecast, LaneView, LimitView, SchedulerConfig, Waiting};
use crate::call::Call;
use crate::ids::RequestId;
use crate::ports::DayCount;
use crate::units::{Timestamp, Tokens};
use std::collections::BTreeMap;

/// Decides who goes next in one lane.
#[derive(Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
}

impl Scheduler {
    /// A scheduler with nothing waiting and an unused quota.
    pub fn new(config: SchedulerConfig, _now: Timestamp) -> Self {
        Self { config }
    }

    /// Takes up where an earlier process stopped. Follow it with [`Event::Tick`].
    pub fn restore(
        &mut self,
        _now: Timestamp,
        _waiting: Vec<Waiting>,
        _calls: &[Call],
        _day: Option<DayCount>,
    ) {
    }

    /// [`Scheduler::step_into`] with a vector of its own.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        self.step_into(now, event, &mut commands);
        commands
    }

    /// Takes in one event and appends what is to be done now.
    pub fn step_into(&mut self, _now: Timestamp, _event: Event, _out: &mut Vec<Command>) {}

    /// Takes new settings; charges and waiting requests stay.
    pub fn reconfigure(&mut self, _now: Timestamp, config: SchedulerConfig) {
        self.config = config;
    }

    /// The lane as it is now.
    pub fn view(&self, now: Timestamp) -> LaneView {
        let none = LimitView {
            limit: 0,
            used: 0,
            free: 0,
        };
        LaneView {
            lane: self.config.lane.id.clone(),
            at: now,
            pacing: String::new(),
            tokens: none,
            requests: None,
            day: None,
            concurrency: none,
            released: 0,
            running: 0,
            waiting: BTreeMap::new(),
            throttles: BTreeMap::new(),
            parked_until: None,
            learned_ceiling: None,
        }
    }

    /// Where a waiting request stands; `None` where it does not wait here.
    pub fn forecast(&self, _now: Timestamp, _id: RequestId) -> Option<Forecast> {
        None
    }

    /// Tokens charged today, for keeping.
    pub fn day_count(&self) -> DayCount {
        DayCount {
            day: 0,
            tokens: Tokens::ZERO,
        }
    }
}
