//! A lane in virtual time: callers, the scheduler, workers, and a limiter upstream.

mod given;

pub(crate) use given::*;

use crate::breaker::CallHealth;
use crate::ids::{CallNo, RequestId};
use crate::ledger::CallKey;
use crate::ledger::tests::limiters::{Kind, Limiter};
use crate::scheduler::{Again, Command, Event, Scheduler, SchedulerConfig, Waiting};
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, Tokens};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// One request of a workload, with what its call turns out to cost.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) waiting: Waiting,
    /// What the limiter charges when the call starts.
    pub(crate) charged: u64,
    /// What it charges in the end.
    pub(crate) actual: u64,
    /// Milliseconds from acceptance to the end.
    pub(crate) lasts: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    pub(crate) released: Option<u64>,
    pub(crate) completed: Option<u64>,
    pub(crate) expired: bool,
    pub(crate) failed: Option<String>,
    pub(crate) throttled: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrival(usize),
    Claim(CallKey),
    Upstream(CallKey),
    Refused(CallKey, ThrottleCause),
    End(CallKey),
    /// The lane hears of a call's end.
    Heard(CallKey),
    /// A call of another client of the same quota comes before the limiter.
    Other(usize),
    OtherEnds(usize),
    Wake,
}

/// Whoever decides in a lane: the scheduler, or a plain or broken one in its place.
pub(crate) trait Decides {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command>;
}

impl Decides for Scheduler {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        self.step(now, event)
    }
}

/// Another client of the quota: its calls are not the lane's, and each is asked for again and again while it is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Others {
    pub(crate) jobs: Vec<Job>,
    /// From then on it has gone, and asks no more.
    pub(crate) until: u64,
}

/// How often the other client asks again for a call that was refused.
const OTHER_ASKS_AGAIN: u64 = 500;

/// The whole of it.
#[derive(Debug)]
pub(crate) struct World<S = Scheduler> {
    pub(crate) scheduler: S,
    pub(crate) limiter: Limiter,
    pub(crate) jobs: Vec<Job>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) now: u64,
    /// Milliseconds from a release to the claim, and from the claim to the limiter.
    pub(crate) claim_takes: u64,
    pub(crate) way_takes: u64,
    /// How far the limiter's clock is ahead of the lane's.
    pub(crate) ahead: i64,
    others: Others,
    limits_requests: bool,
    pub(crate) log: Vec<(u64, Command)>,
    pub(crate) keep_log: bool,
    happenings: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    sequence: u64,
    by_id: BTreeMap<RequestId, usize>,
    pub(crate) throttles: u64,
    /// When the lane heard of each refusal.
    pub(crate) refused_at: Vec<u64>,
    /// When each call was over, and what it cost.
    pub(crate) ends: Vec<(u64, u64)>,
    pub(crate) charged: u64,
    pub(crate) last_completion: u64,
    pub(crate) first_release: Option<u64>,
    pub(crate) last_release: u64,
    wake: Option<u64>,
}

impl World {
    pub(crate) fn new(config: SchedulerConfig, kind: Kind, jobs: Vec<Job>) -> Self {
        let scheduler = Scheduler::new(config.clone(), at(0));
        Self::of(scheduler, &config, kind, jobs)
    }
}

impl<S: Decides> World<S> {
    /// A world in which this one decides.
    pub(crate) fn of(scheduler: S, config: &SchedulerConfig, kind: Kind, jobs: Vec<Job>) -> Self {
        let limiter = Limiter::new(
            kind,
            config.lane.tokens_per_minute.get(),
            config.lane.requests_per_minute.map(|limit| limit.get()),
        );
        let limits_requests = config.lane.requests_per_minute.is_some();
        let mut world = Self {
            scheduler,
            limiter,
            fates: vec![Fate::default(); jobs.len()],
            by_id: jobs
                .iter()
                .enumerate()
                .map(|(i, job)| (job.waiting.id, i))
                .collect(),
            jobs,
            now: 0,
            claim_takes: 2,
            way_takes: 3,
            ahead: 0,
            others: Others::default(),
            limits_requests,
            log: Vec::new(),
            keep_log: false,
            happenings: BinaryHeap::new(),
            sequence: 0,
            throttles: 0,
            refused_at: Vec::new(),
            ends: Vec::new(),
            charged: 0,
            last_completion: 0,
            first_release: None,
            last_release: 0,
            wake: None,
        };
        for index in 0..world.jobs.len() {
            let when = world.jobs[index].waiting.arrived_at.as_millis() - START;
            world.plan(when, Happening::Arrival(index));
        }
        world
    }

    /// Shares the quota with another client.
    pub(crate) fn share_with(&mut self, others: Others) {
        for (index, job) in others.jobs.iter().enumerate() {
            let when = job.waiting.arrived_at.as_millis() - START;
            self.plan(when, Happening::Other(index));
        }
        self.others = others;
    }

    /// The limiter's clock.
    fn upstream(&self) -> u64 {
        (START + self.now).saturating_add_signed(self.ahead)
    }

    fn plan(&mut self, when: u64, what: Happening) {
        self.sequence += 1;
        self.happenings.push(Reverse((when, self.sequence, what)));
    }

    /// Runs until nothing is left to happen, or until `end`.
    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(Reverse((when, _, _))) = self.happenings.peek() {
            if *when > end {
                break;
            }
            let Some(Reverse((when, _, what))) = self.happenings.pop() else {
                break;
            };
            self.now = when;
            self.happen(&what);
        }
    }

    pub(crate) fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    fn happen(&mut self, what: &Happening) {
        let now = self.now;
        match *what {
            Happening::Arrival(index) => {
                let waiting = self.jobs[index].waiting.clone();
                self.tell(Event::Arrived(waiting));
            }
            Happening::Claim(key) => {
                self.tell(Event::Started {
                    request: key.0,
                    call: key.1,
                    at: at(now),
                });
                self.plan(now + self.way_takes, Happening::Upstream(key));
            }
            Happening::Upstream(key) => {
                let job = &self.jobs[self.by_id[&key.0]];
                let (charged, lasts) = (job.charged, job.lasts);
                if self.limiter.admit(self.upstream(), key, charged) {
                    self.plan(now + lasts, Happening::End(key));
                } else {
                    let lacks_requests = self.limiter.free(self.upstream()).1 < 1.0 && self.limits_requests;
                    let cause = if lacks_requests {
                        ThrottleCause::Requests
                    } else {
                        ThrottleCause::Tokens
                    };
                    self.plan(now + self.way_takes, Happening::Refused(key, cause));
                }
            }
            Happening::Refused(key, cause) => {
                self.throttles += 1;
                self.refused_at.push(now);
                self.fates[self.by_id[&key.0]].throttled += 1;
                self.end(key, 0, Some(cause), Again::NotBefore(at(now + 200)));
            }
            Happening::End(key) => {
                let index = self.by_id[&key.0];
                let (charged, actual) = (self.jobs[index].charged, self.jobs[index].actual);
                self.limiter.settle(self.upstream(), key, charged, actual);
                self.charged += actual;
                self.ends.push((now, actual));
                self.last_completion = now;
                self.fates[index].completed = Some(now);
                self.plan(now + self.way_takes, Happening::Heard(key));
            }
            Happening::Heard(key) => {
                let actual = self.jobs[self.by_id[&key.0]].actual;
                self.end(key, actual, None, Again::No);
            }
            Happening::Other(index) => {
                let job = &self.others.jobs[index];
                let (key, charged, lasts) = ((job.waiting.id, CallNo::new(1)), job.charged, job.lasts);
                if self.limiter.admit(self.upstream(), key, charged) {
                    self.plan(now + lasts, Happening::OtherEnds(index));
                } else if now < self.others.until {
                    self.plan(now + OTHER_ASKS_AGAIN, Happening::Other(index));
                }
            }
            Happening::OtherEnds(index) => {
                let job = &self.others.jobs[index];
                let (key, charged, actual) = ((job.waiting.id, CallNo::new(1)), job.charged, job.actual);
                self.limiter.settle(self.upstream(), key, charged, actual);
            }
            Happening::Wake => {
                if self.wake == Some(now) {
                    self.wake = None;
                    self.tell(Event::Tick);
                }
            }
        }
    }

    fn end(&mut self, key: CallKey, charged: u64, throttle: Option<ThrottleCause>, again: Again) {
        self.tell(Event::Ended {
            request: key.0,
            call: key.1,
            charged: Tokens::new(charged),
            throttle,
            again,
            health: CallHealth::Fine,
            at: at(self.now),
        });
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let commands = self.scheduler.decide(at(self.now), event);
        for command in commands {
            if self.keep_log {
                self.log.push((self.now, command.clone()));
            }
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::Release { request, call, .. } => {
                self.first_release.get_or_insert(now);
                self.last_release = now;
                self.fates[self.by_id[&request]].released = Some(now);
                self.plan(now + self.claim_takes, Happening::Claim((request, call)));
            }
            Command::Expire { request } => self.fates[self.by_id[&request]].expired = true,
            Command::Fail { request, failure } => {
                self.fates[self.by_id[&request]].failed = Some(failure.message);
            }
            Command::WakeAt(when) => {
                let when = when.as_millis() - START;
                if self.wake != Some(when) {
                    self.wake = Some(when);
                    self.plan(when, Happening::Wake);
                }
            }
            Command::Check { .. } | Command::Lose { .. } | Command::Refill { .. } | Command::Leave { .. } => {
            }
        }
    }
}
