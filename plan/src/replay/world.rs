//! The loop: the next moment, what it tells the scheduler, and what the scheduler wants then.

use super::call::Flight;
use super::sized::Unsized;
use super::{CallRecord, Ending, Fate, Replay, Setup};
use crate::upstream::Limiter;
use crate::workload::{Job, Workload};
use rand::SeedableRng;
use rand::rngs::StdRng;
use smoother_core::estimate::Outputs;
use smoother_core::scheduler::{Command, Event, Scheduler, Waiting};
use smoother_core::{CallNo, Millis, RequestId, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How long after the last arrival is played.
const AFTERWARDS: Millis = Millis::from_secs(24 * 60 * 60);

/// A step of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Claim,
    Reach,
    Over,
    Heard,
}

/// When, in which order among those, what, and whose.
type Due = Reverse<(Timestamp, u64, Step, usize)>;

pub(super) struct World<'a> {
    pub(super) jobs: &'a [Job],
    pub(super) setup: &'a Setup,
    pub(super) scheduler: Scheduler,
    pub(super) limiter: Limiter,
    pub(super) learned: Outputs,
    pub(super) unsized_ones: Unsized,
    pub(super) dice: StdRng,
    pub(super) now: Timestamp,
    pub(super) fates: Vec<Fate>,
    pub(super) flights: Vec<Flight>,
    pub(super) calls: Vec<CallRecord>,
    pub(super) throttled: [u64; 2],
    agenda: BinaryHeap<Due>,
    sequence: u64,
    next_arrival: usize,
    wake: Option<Timestamp>,
    commands: Vec<Command>,
}

impl<'a> World<'a> {
    pub(super) fn new(workload: &'a Workload, setup: &'a Setup) -> Self {
        let (jobs, begins) = (workload.jobs(), workload.begins());
        Self {
            jobs,
            setup,
            scheduler: Scheduler::new(setup.scheduler.clone(), begins),
            limiter: setup.limiter(),
            learned: Outputs::default(),
            unsized_ones: Unsized::default(),
            dice: StdRng::seed_from_u64(setup.seed),
            now: begins,
            fates: vec![Fate::default(); jobs.len()],
            flights: vec![Flight::default(); jobs.len()],
            calls: Vec::with_capacity(jobs.len()),
            throttled: [0; 2],
            agenda: BinaryHeap::new(),
            sequence: 0,
            next_arrival: 0,
            wake: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Replay {
        let last = self.jobs.last().map_or(self.now, |job| job.arrived);
        while let Some(at) = self.next().filter(|at| *at <= last + AFTERWARDS) {
            self.now = at;
            self.happen();
        }
        Replay {
            throttled_tokens: self.throttled[0],
            throttled_requests: self.throttled[1],
            breaker_opened: self.scheduler.view(self.now).breaker.opened,
            fates: self.fates,
            calls: self.calls,
            ended: self.now,
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let arrival = self.jobs.get(self.next_arrival).map(|job| job.arrived);
        let step = self.agenda.peek().map(|Reverse((at, ..))| *at);
        [arrival, step, self.wake].into_iter().flatten().min()
    }

    fn happen(&mut self) {
        let now = self.now;
        if let Some(Reverse((_, _, step, job))) = self.agenda.pop_if_due(now) {
            match step {
                Step::Claim => self.claim(job),
                Step::Reach => self.reach(job),
                Step::Over => self.over(job),
                Step::Heard => self.heard(job),
            }
        } else if self
            .jobs
            .get(self.next_arrival)
            .is_some_and(|job| job.arrived <= now)
        {
            let job = self.next_arrival;
            self.next_arrival += 1;
            self.arrive(job);
        } else {
            self.wake = None;
            self.tell(Event::Tick);
        }
    }

    pub(super) fn plan(&mut self, at: Timestamp, step: Step, job: usize) {
        self.sequence += 1;
        self.agenda.push(Reverse((at, self.sequence, step, job)));
    }

    fn arrive(&mut self, place: usize) {
        let estimate = self.priced(place);
        self.take(place, &estimate);
        let [reserve, expected, surplus] = self.price(&estimate);
        let job = &self.jobs[place];
        let waiting = Waiting {
            id: id_of(place),
            tenant: job.tenant.clone(),
            priority: job.priority,
            arrived_at: job.arrived,
            deadline: job.deadline,
            latest_start: None,
            reserve,
            expected,
            surplus,
            last_call: CallNo::NONE,
            not_before: None,
            retries: false,
            may_leave: false,
            has_next_lane: false,
            by_caller: false,
        };
        self.tell(Event::Arrived(waiting));
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut commands = std::mem::take(&mut self.commands);
        self.scheduler.step_into(self.now, event, &mut commands);
        // It says so in every step after which there is something to wait for.
        self.wake = None;
        for command in &commands {
            self.obey(command);
        }
        commands.clear();
        self.commands = commands;
    }

    fn obey(&mut self, command: &Command) {
        match *command {
            Command::Release { request, call, .. } => {
                let Some(job) = place_of(request) else { return };
                (self.flights[job].call, self.flights[job].waits) = (call, false);
                self.plan(self.now, Step::Claim, job);
            }
            Command::Expire { request } => self.end(place_of(request), Ending::Expired),
            Command::Fail { request, .. } => {
                let job = place_of(request);
                let called = job.is_some_and(|job| self.flights[job].call > CallNo::NONE);
                self.end(job, if called { Ending::Failed } else { Ending::Refused });
            }
            Command::WakeAt(at) => self.wake = Some(at),
            // None of them comes: every release is claimed at once and every end is told, the whole line is in view,
            // and no job has another lane to go on in.
            Command::Check { .. } | Command::Lose { .. } | Command::Refill { .. } | Command::Leave { .. } => {
            }
        }
    }

    pub(super) fn end(&mut self, job: Option<usize>, ending: Ending) {
        if let Some(fate) = job.and_then(|job| self.fates.get_mut(job)) {
            fate.ending = ending;
            fate.ended = Some(self.now);
        }
    }
}

/// A job's place as its id, so that nothing has to be looked up.
pub(super) fn id_of(place: usize) -> RequestId {
    RequestId::from_bytes((place as u128).to_be_bytes())
}

fn place_of(id: RequestId) -> Option<usize> {
    usize::try_from(u128::from_be_bytes(*id.as_bytes())).ok()
}

trait PopIfDue {
    fn pop_if_due(&mut self, now: Timestamp) -> Option<Due>;
}

impl PopIfDue for BinaryHeap<Due> {
    fn pop_if_due(&mut self, now: Timestamp) -> Option<Due> {
        self.peek()
            .is_some_and(|Reverse((at, ..))| *at <= now)
            .then(|| self.pop())?
    }
}
