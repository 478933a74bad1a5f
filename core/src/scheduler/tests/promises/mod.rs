//! What the scheduler promises, as properties of whoever decides in a lane: the scheduler keeps them, and each scheduler
//! that is broken on purpose is found out by one ([`broken`]).

mod broken;
mod shares;
mod turns;

use super::reference::Reference;
use super::world::{Decides, at};
use crate::ids::{CallNo, RequestId, TenantId};
use crate::scheduler::{Command, Event, Scheduler, SchedulerConfig};
use crate::units::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Makes whoever decides.
type Make<'a, S> = &'a dyn Fn(SchedulerConfig) -> S;

fn fast(config: SchedulerConfig) -> Scheduler {
    Scheduler::new(config, at(0))
}

impl Decides for Reference {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        self.step(now, event)
    }
}

/// Looks over the shoulder of whoever decides, and notes what must not be.
struct Watched<S> {
    inner: S,
    caps: BTreeMap<TenantId, u32>,
    whose: BTreeMap<RequestId, TenantId>,
    under_way: BTreeSet<(RequestId, CallNo)>,
    broken: Option<String>,
}

impl<S: Decides> Watched<S> {
    fn new(inner: S, config: &SchedulerConfig) -> Self {
        Self {
            inner,
            caps: config.caps.clone(),
            whose: BTreeMap::new(),
            under_way: BTreeSet::new(),
            broken: None,
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Arrived(one) => {
                self.whose.insert(one.id, one.tenant.clone());
            }
            Event::Ended { request, call, .. } => {
                self.under_way.remove(&(*request, *call));
            }
            _ => {}
        }
    }

    /// No tenant has more calls under way than it may have.
    fn look(&mut self, now: Timestamp, commands: &[Command]) {
        for command in commands {
            let Command::Release { request, call, .. } = command else {
                continue;
            };
            self.under_way.insert((*request, *call));
            let whose = &self.whose[request];
            let own = self.under_way.iter().filter(|(id, _)| self.whose[id] == *whose);
            let (count, cap) = (own.count(), self.caps.get(whose).copied().unwrap_or(u32::MAX));
            if count as u64 > u64::from(cap) {
                self.broken = Some(format!("{count} calls of {whose} at {now}, who may have {cap}"));
            }
        }
    }
}

impl<S: Decides> Decides for Watched<S> {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        self.hear(&event);
        let commands = self.inner.decide(now, event);
        self.look(now, &commands);
        // Whatever could go has gone: told nothing new, it lets nobody go.
        let again = self.inner.decide(now, Event::Tick);
        if again
            .iter()
            .any(|command| matches!(command, Command::Release { .. }))
        {
            self.broken = Some(format!("at {now} somebody could have gone a step earlier"));
            self.look(now, &again);
            return commands
                .into_iter()
                .filter(|command| !matches!(command, Command::WakeAt(_)))
                .chain(again)
                .collect();
        }
        commands
    }
}
