//! Workloads: 20 % interactive calls, 80 % batch with a large max_tokens and little use of it; burndown 5.

use crate::request::Priority;
use crate::scheduler::Waiting;
use crate::scheduler::tests::world::{Dice, Job, waiting};
use crate::units::Tokens;

/// Requests a minute, in all of them.
pub(super) const REQUESTS: u64 = 600;
const BURNDOWN: u64 = 5;
/// What a call of the mix costs in the end, in the mean.
const MEAN: f64 = 0.2 * 450.0 + 0.8 * (1_000.0 + 5.0 * 300.0);
/// The numbers of the other client's calls begin here.
const OTHERS: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    /// 264 calls within 30 s, three times the quota.
    A,
    /// 900 calls within 30 s on a larger quota.
    B,
    /// Random arrivals at 0.95 of the quota, for half an hour.
    C,
    /// A backlog that never ends, for so many minutes, with interactive calls coming in.
    D(u64),
}

impl Workload {
    pub(super) fn quota(self) -> u64 {
        if self == Self::B { 1_000_000 } else { 300_000 }
    }

    /// When the run is broken off, after its beginning.
    pub(super) fn breaks_off(self) -> Option<u64> {
        match self {
            Self::D(minutes) => Some(minutes * 60_000),
            Self::A | Self::B | Self::C => None,
        }
    }

    /// Its requests, the first at `begin`.
    pub(super) fn jobs(self, begin: u64, seed: u64) -> Vec<Job> {
        let mut dice = Dice(seed);
        let mut jobs = match self {
            Self::A => burst(&mut dice, 264),
            Self::B => burst(&mut dice, 900),
            Self::C => {
                let every = 60_000.0 * MEAN / (0.95 * self.quota() as f64);
                poisson(&mut dice, 0, 0, 30 * 60_000, every, mixed)
            }
            Self::D(minutes) => backlog(&mut dice, self.quota(), minutes),
        };
        for job in &mut jobs {
            job.waiting.arrived_at = job.waiting.arrived_at + crate::units::Millis::new(begin);
        }
        jobs.sort_by_key(|job| job.waiting.arrived_at);
        jobs
    }

    /// What a job is taken for where its input is estimated at so many percent of what it is.
    pub(super) fn believed(job: &Job, percent: u64) -> Waiting {
        let (max, usual) = lengths(job.waiting.priority);
        let input = (job.charged - max) * percent / 100;
        let expected = input + BURNDOWN * usual;
        Waiting {
            reserve: Tokens::new((input + max).max(expected)),
            expected: Tokens::new(expected),
            ..job.waiting.clone()
        }
    }

    /// Another client's calls: the same mix, so much of the quota, from then until then.
    pub(super) fn others(self, share: f64, from: u64, until: u64, seed: u64) -> Vec<Job> {
        let every = 60_000.0 * MEAN / (share * self.quota() as f64);
        poisson(&mut Dice(seed ^ 0x0dd), OTHERS, from, until, every, mixed)
    }
}

fn burst(dice: &mut Dice, calls: u64) -> Vec<Job> {
    let job = |number| {
        let arrival = dice.below(30_000);
        mixed(dice, number, arrival)
    };
    (0..calls).map(job).collect()
}

fn backlog(dice: &mut Dice, quota: u64, minutes: u64) -> Vec<Job> {
    let calls = (minutes * quota) as f64 / MEAN;
    let interactive = |dice: &mut Dice, number, arrival| job(dice, number, arrival, Priority::Interactive);
    let every = 60_000.0 * 5.0 * MEAN / quota as f64;
    let mut jobs = poisson(dice, 0, 0, minutes * 60_000, every, interactive);
    let first = jobs.len() as u64;
    // More than twice what the quota lets through.
    let batch = (2.2 * calls) as u64;
    jobs.extend((first..first + batch).map(|number| job(dice, number, 0, Priority::Batch)));
    jobs
}

fn poisson(
    dice: &mut Dice,
    first: u64,
    from: u64,
    until: u64,
    every: f64,
    make: impl Fn(&mut Dice, u64, u64) -> Job,
) -> Vec<Job> {
    let (mut jobs, mut at) = (Vec::new(), from as f64);
    loop {
        at += dice.exponential(every);
        if at >= until as f64 {
            return jobs;
        }
        jobs.push(make(dice, first + jobs.len() as u64, at as u64));
    }
}

fn mixed(dice: &mut Dice, number: u64, arrival: u64) -> Job {
    let priority = if dice.below(5) == 0 {
        Priority::Interactive
    } else {
        Priority::Batch
    };
    job(dice, number, arrival, priority)
}

/// Interactive: input about 150, max_tokens 256, output about 60; batch: about 1,000, 4,096 and 300. 300 ms and 8 ms
/// an output token.
fn job(dice: &mut Dice, number: u64, arrival: u64, priority: Priority) -> Job {
    let (input, output) = if priority == Priority::Interactive {
        let output = 30 + dice.exponential(30.0) as u64;
        (100 + dice.below(100), output)
    } else {
        let output = 5 + dice.exponential(295.0) as u64;
        (500 + dice.below(1_000), output)
    };
    let (max, _) = lengths(priority);
    let output = output.min(max);
    let mut job = Job {
        waiting: waiting(number, arrival, priority, 0),
        charged: input + max,
        actual: input + BURNDOWN * output,
        lasts: 300 + 8 * output,
    };
    job.waiting = Workload::believed(&job, 100);
    job
}

/// A call's `max_tokens`, and what is usually used of it.
fn lengths(priority: Priority) -> (u64, u64) {
    if priority == Priority::Interactive {
        (256, 60)
    } else {
        (4_096, 300)
    }
}
