//! One call after another of each request: claimed, admitted or refused, over, heard of.

use super::world::{Step, World, id_of};
use super::{CallRecord, Ending};
use crate::upstream::Ticket;
use rand::Rng;
use smoother_core::breaker::health_of;
use smoother_core::estimate::Answered;
use smoother_core::scheduler::{Again, Event};
use smoother_core::verdict::{Situation, Verdict, judge};
use smoother_core::{CallNo, Door, Millis, ModelErrorKind, ThrottleCause, Timestamp, Tokens};

/// How a call goes, known once it is admitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Course {
    /// It gives its answer.
    #[default]
    Answers,
    /// The request's deadline breaks it off.
    Overruns,
    /// The lane's own limit breaks it off.
    TimesOut,
    /// It was refused.
    Refused(ThrottleCause),
}

/// The call that a request is at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flight {
    pub(super) call: CallNo,
    pub(super) max_tokens: Tokens,
    pub(super) reserved: Tokens,
    /// It waits for its release.
    pub(super) waits: bool,
    /// Calls that timed out.
    tries: u32,
    started: Timestamp,
    charged: Tokens,
    ticket: Option<Ticket>,
    course: Course,
    cost: Tokens,
}

impl World<'_> {
    /// A worker takes the release up at once and calls.
    pub(super) fn claim(&mut self, place: usize) {
        let call = self.flights[place].call;
        let (request, at) = (id_of(place), self.now);
        self.tell(Event::Started { request, call, at });
        let way = self.setup.upstream.round_trip.get() / 2;
        self.plan(self.now + Millis::new(way), Step::Reach, place);
    }

    /// The limiter sees the call.
    pub(super) fn reach(&mut self, place: usize) {
        let (job, now) = (&self.jobs[place], self.now);
        let flight = &mut self.flights[place];
        flight.started = now;
        flight.charged = job.input + flight.max_tokens;
        match self.limiter.admit(now, flight.charged) {
            Err(cause) => {
                flight.course = Course::Refused(cause);
                self.throttled[usize::from(cause == ThrottleCause::Requests)] += 1;
                self.fates[place].throttled += 1;
                self.plan(now + self.way_back(), Step::Heard, place);
            }
            Ok(ticket) => {
                flight.ticket = Some(ticket);
                self.fates[place].started.get_or_insert(now);
                let at = now + self.runs_for(place);
                self.plan(at, Step::Over, place);
            }
        }
    }

    /// How long an admitted call runs; notes what ends it.
    fn runs_for(&mut self, place: usize) -> Millis {
        let job = &self.jobs[place];
        let latency = self.setup.upstream.latency;
        let flight = &mut self.flights[place];
        let output = job.output.min(flight.max_tokens);
        let whole = latency.of(output);
        let until_deadline = job
            .deadline
            .map_or(Millis::MAX, |deadline| deadline.since(flight.started));
        let call_timeout = self.setup.scheduler.lane.call_timeout;
        let runs = whole.min(until_deadline).min(call_timeout);
        flight.course = if runs == whole {
            Course::Answers
        } else if runs == until_deadline {
            Course::Overruns
        } else {
            Course::TimesOut
        };
        let given = match flight.course {
            Course::Answers => output,
            _ => latency.generated(runs, output),
        };
        flight.cost = job.input + given.times(self.setup.scheduler.lane.output_burndown);
        runs
    }

    /// The call is over upstream: its charge is corrected.
    pub(super) fn over(&mut self, place: usize) {
        let flight = &mut self.flights[place];
        if let Some(ticket) = flight.ticket.take() {
            self.limiter.settle(self.now, ticket, flight.charged, flight.cost);
        }
        self.calls.push(CallRecord {
            job: place,
            start: flight.started,
            end: self.now,
            reserved: flight.reserved,
            cost: flight.cost,
        });
        let back = self.way_back();
        self.plan(self.now + back, Step::Heard, place);
    }

    fn way_back(&self) -> Millis {
        let trip = self.setup.upstream.round_trip.get();
        Millis::new(trip - trip / 2)
    }

    /// Its end comes back to the smoother.
    pub(super) fn heard(&mut self, place: usize) {
        let flight = self.flights[place];
        match flight.course {
            Course::Answers => self.answered(place),
            Course::Overruns => {
                // What a call has cost that was broken off is not known: it is settled at its reserve.
                self.ended(place, flight.reserved, None, Again::No, None);
                self.end(Some(place), Ending::Overran);
            }
            Course::TimesOut => {
                self.failed(place, ModelErrorKind::ModelTimeout, flight.reserved);
            }
            Course::Refused(cause) => self.failed(place, ModelErrorKind::Throttled(cause), Tokens::ZERO),
        }
    }

    fn answered(&mut self, place: usize) {
        let (flight, job) = (self.flights[place], &self.jobs[place]);
        let own = self.setup.asked(job);
        let cut = job.output > flight.max_tokens;
        if cut && flight.max_tokens < own {
            self.fates[place].reran = true;
            let again = self.resized_to_own(place);
            self.ended(place, flight.cost, None, again, None);
            return;
        }
        let fate = &mut self.fates[place];
        fate.cut = cut;
        // Whether a size cut an answer short is told by the one that was whole in the end.
        let answered = Answered {
            model: &self.setup.model,
            tenant: &job.tenant,
            max_output: own,
            output: job.output.min(flight.max_tokens),
            cut_short: fate.right_sized.then_some(fate.reran),
        };
        self.learned.observe(&answered, self.now);
        self.ended(place, flight.cost, None, Again::No, None);
        self.end(Some(place), Ending::Completed);
        self.resize_like(place);
    }

    /// A call without an answer: what becomes of its request is core's to say.
    fn failed(&mut self, place: usize, met: ModelErrorKind, charged: Tokens) {
        let flight = self.flights[place];
        let situation = Situation {
            door: Door::Job,
            tries: flight.tries,
            max_tries: self.setup.scheduler.lane.max_tries,
            throttled: self.fates[place].throttled.saturating_sub(1),
            cut_short: false,
            started_output: false,
            has_fallback: false,
            deadline: self.jobs[place].deadline,
            retry_after: None,
            now: self.now,
            random: self.dice.random(),
        };
        let throttle = match met {
            ModelErrorKind::Throttled(cause) => Some(cause),
            _ => {
                self.flights[place].tries += 1;
                None
            }
        };
        let again = match judge(Some(met), &situation) {
            Verdict::Retry { at } => Again::Retry(at),
            Verdict::Snooze { until } | Verdict::Park { until } => Again::NotBefore(until),
            Verdict::Done | Verdict::Rerun | Verdict::Fallback | Verdict::Discard => Again::No,
        };
        if again == Again::No {
            self.end(Some(place), Ending::Failed);
        } else {
            self.flights[place].waits = true;
        }
        self.ended(place, charged, throttle, again, Some(met));
    }

    fn ended(
        &mut self,
        place: usize,
        charged: Tokens,
        throttle: Option<ThrottleCause>,
        again: Again,
        met: Option<ModelErrorKind>,
    ) {
        let flight = self.flights[place];
        let called_off = flight.course == Course::Overruns;
        let took = self.now.since(flight.started);
        let slow = self.setup.scheduler.lane.breaker.slow_call;
        self.tell(Event::Ended {
            request: id_of(place),
            call: flight.call,
            charged,
            throttle,
            again,
            health: health_of(met, called_off, took, slow),
            at: self.now,
        });
    }
}
