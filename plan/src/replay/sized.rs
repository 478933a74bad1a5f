//! Right-sizing, as the way in does it: by what a tenant's answers have taught, for what comes and for what waits already.

use super::world::{World, id_of};
use smoother_core::estimate::OutputKey;
use smoother_core::scheduler::{Again, Event};
use smoother_core::{Estimate, Tokens};
use std::collections::HashMap;

/// Jobs that may be right-sized and came before their size was known, by whose answers will tell it.
#[derive(Debug, Default)]
pub(super) struct Unsized(HashMap<OutputKey, Vec<usize>>);

impl World<'_> {
    /// What a job that comes is priced at. One whose size will be known later is noted.
    pub(super) fn priced(&mut self, place: usize) -> Estimate {
        let job = &self.jobs[place];
        let own = self.own_estimate(place);
        if !self.setup.right_sized.has(&job.tenant) {
            return own;
        }
        if let Some(sized) = self.sized(place, &own) {
            self.fates[place].right_sized = true;
            return sized;
        }
        let key = OutputKey::of_tenant(&self.setup.model, &job.tenant, own.max_output);
        self.unsized_ones.0.entry(key).or_default().push(place);
        own
    }

    /// What it is priced at with the max_tokens of its caller: what was learned may let a request wait for more room, but
    /// never rule it out.
    fn own_estimate(&self, place: usize) -> Estimate {
        let (job, setup) = (&self.jobs[place], self.setup);
        let max_output = setup.asked(job);
        let expected = self.learned.expected(&setup.model, &job.tenant, max_output);
        let room = setup.quota().get().saturating_sub(job.input.get()) / setup.burndown().max(1);
        Estimate {
            input: job.input,
            max_output,
            expected_output: expected.min(Tokens::new(room)),
        }
    }

    fn sized(&self, place: usize, own: &Estimate) -> Option<Estimate> {
        let tenant = &self.jobs[place].tenant;
        let max_output = self
            .learned
            .right_size(&self.setup.model, tenant, own.max_output)?;
        Some(Estimate {
            max_output,
            expected_output: own.expected_output.min(max_output),
            ..*own
        })
    }

    /// After an answer to this job: those like it that wait are resized, as soon as their size is known.
    pub(super) fn resize_like(&mut self, place: usize) {
        let job = &self.jobs[place];
        let key = OutputKey::of_tenant(&self.setup.model, &job.tenant, self.setup.asked(job));
        if !self.unsized_ones.0.contains_key(&key) || self.sized(place, &self.own_estimate(place)).is_none() {
            return;
        }
        for place in self.unsized_ones.0.remove(&key).unwrap_or_default() {
            let own = self.own_estimate(place);
            // What has gone keeps what was reserved for it.
            if let Some(sized) = self.sized(place, &own).filter(|_| self.flights[place].waits) {
                self.fates[place].right_sized = true;
                self.take(place, &sized);
                let [reserve, expected, surplus] = self.price(&sized);
                self.tell(Event::Resized {
                    request: id_of(place),
                    last_call: self.flights[place].call,
                    reserve,
                    expected,
                    surplus,
                });
            }
        }
    }

    /// How a job comes back whose answer its size has cut short: with its caller's own.
    pub(super) fn resized_to_own(&mut self, place: usize) -> Again {
        let own = self.own_estimate(place);
        self.take(place, &own);
        let [reserve, expected, surplus] = self.price(&own);
        Again::Resized {
            reserve,
            expected,
            surplus,
        }
    }

    /// Notes what its next call goes with.
    pub(super) fn take(&mut self, place: usize, estimate: &Estimate) {
        let reserved = estimate.reserve(self.setup.burndown());
        let flight = &mut self.flights[place];
        (flight.max_tokens, flight.reserved, flight.waits) = (estimate.max_output, reserved, true);
    }

    /// Tokens to reserve, to expect, and of the reserve what is not taken when a call starts.
    pub(super) fn price(&self, estimate: &Estimate) -> [Tokens; 3] {
        let burndown = self.setup.burndown();
        [
            estimate.reserve(burndown),
            estimate.settled(burndown),
            estimate.surplus(burndown),
        ]
    }
}
