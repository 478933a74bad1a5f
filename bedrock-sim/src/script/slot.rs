//! Where a script is put in place, and what the spans of all that were there have done.

use std::collections::BTreeMap;

use super::{Effect, Running, Script, SpanCounts};
use crate::clock::Micros;
use crate::fault::Fault;

/// At most one script.
#[derive(Debug)]
pub(crate) struct Slot {
    running: Option<Running>,
    /// What the spans of scripts that were taken away had done.
    past: BTreeMap<String, SpanCounts>,
}

impl Slot {
    /// Begins with `script`, at the simulator's start.
    pub(crate) fn new(script: Option<Script>) -> Self {
        Self {
            running: script.map(|script| Running::new(Micros::ZERO, script)),
            past: BTreeMap::new(),
        }
    }

    /// The script in place.
    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Puts a script in place of the one before, or takes that away.
    pub(crate) fn put(&mut self, now: Micros, script: Option<Script>) {
        if let Some(old) = self.running.take() {
            old.add_to(&mut self.past);
        }
        self.running = script.map(|script| Running::new(now, script));
    }

    /// A call arrives.
    pub(crate) fn meet(&mut self, now: Micros, region: &str, model: &str) -> Effect {
        let running = self.running.as_mut();
        running.map_or(Effect::NONE, |running| running.meet(now, region, model))
    }

    /// Counts a fault of `effect` that did strike; fault and span's name.
    pub(crate) fn struck(&mut self, effect: &Effect) -> Option<(Fault, String)> {
        let (span, fault) = effect.fault?;
        Some((fault, self.running.as_mut()?.struck(span, fault)))
    }

    /// Counts a call that was refused with `in_flight` others under way, if the capacity of `effect` did it; the
    /// span's name.
    pub(crate) fn refused(&mut self, effect: &Effect, in_flight: u32) -> Option<String> {
        let (span, _) = effect.capacity.filter(|(_, capacity)| in_flight >= *capacity)?;
        Some(self.running.as_mut()?.refused(span))
    }

    /// What each span has done.
    pub(crate) fn report(&self) -> BTreeMap<String, SpanCounts> {
        let mut report = self.past.clone();
        if let Some(running) = &self.running {
            running.add_to(&mut report);
        }
        report
    }

    /// Sets the counts to nothing.
    pub(crate) fn reset(&mut self) {
        self.past.clear();
        if let Some(running) = &mut self.running {
            running.reset();
        }
    }
}
