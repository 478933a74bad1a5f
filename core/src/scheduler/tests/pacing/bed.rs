//! One run of a workload against a limiter, and the figures of many.

use super::greedy;
use super::workload::{REQUESTS, Workload};
use crate::config::Pacing;
use crate::ledger::tests::limiters::{Kind, Limiter};
use crate::request::Priority;
use crate::scheduler::tests::world::{Dice, Job, Others, START, World, config, lane};

/// Another client of the quota: how much it asks for, and when it comes and goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) share: f64,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// What stands against what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bed {
    pub(super) law: Pacing,
    pub(super) limiter: Kind,
    pub(super) workload: Workload,
    /// Milliseconds from a claim to the limiter, and back.
    pub(super) way: u64,
    /// How far the limiter's clock is ahead of the lane's.
    pub(super) ahead: i64,
    pub(super) client: Option<Client>,
    /// What the lane believes the quota to be, in percent of what it is.
    pub(super) believed: u64,
    /// How far the estimate of an input may be off, in percent of it.
    pub(super) estimates: Estimates,
}

/// An input's tokens are known when it has been counted upstream; before that they are estimated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimates {
    /// Each call's by itself, either way.
    pub(super) spread: u64,
    /// All of them, too low.
    pub(super) low: u64,
}

impl Bed {
    pub(super) fn new(law: Pacing, limiter: Kind, workload: Workload) -> Self {
        Self {
            law,
            limiter,
            workload,
            way: 3,
            ahead: 0,
            client: None,
            believed: 100,
            estimates: Estimates::default(),
        }
    }

    /// Round trips of 60 ms and a clock that is off by 0.3 s.
    pub(super) fn far_away(self) -> Self {
        Self {
            way: 30,
            ahead: 300,
            ..self
        }
    }

    /// The same way, and the limiter's clock is behind.
    pub(super) fn late(self) -> Self {
        Self {
            ahead: -300,
            ..self.far_away()
        }
    }

    pub(super) fn beside(self, client: Client) -> Self {
        Self {
            client: Some(client),
            ..self
        }
    }

    pub(super) fn believing(self, percent: u64) -> Self {
        Self {
            believed: percent,
            ..self
        }
    }

    pub(super) fn estimating(self, estimates: Estimates) -> Self {
        Self { estimates, ..self }
    }

    /// The run of one seed. It begins anywhere in a minute.
    pub(super) fn run(self, seed: u64) -> Run {
        let quota = self.workload.quota();
        let begin = Dice(seed ^ 0x5eed).below(60_000);
        let mut jobs = self.workload.jobs(begin, seed);
        self.estimates.make(&mut jobs, seed);
        let believed = |limit: u64| limit * self.believed / 100;
        let lane = lane(believed(quota), Some(believed(REQUESTS)), self.law);
        let bound = self.workload.breaks_off().is_none();
        let bound = bound.then(|| greedy::drain(Limiter::new(self.limiter, quota, Some(REQUESTS)), &jobs));
        let mut world = World::new(config(lane), self.limiter, jobs);
        world.limiter = Limiter::new(self.limiter, quota, Some(REQUESTS));
        world.claim_takes = 2;
        world.way_takes = self.way;
        world.ahead = self.ahead;
        if let Some(client) = self.client {
            let (from, until) = (begin + client.from, begin + client.until);
            let jobs = self.workload.others(client.share, from, until, seed);
            world.share_with(Others { jobs, until });
        }
        let ends = self.workload.breaks_off().map(|after| begin + after);
        world.run_until(ends.unwrap_or(u64::MAX));
        Run {
            world,
            quota,
            begin,
            ends,
            bound,
        }
    }

    /// The figures of seeds 1 to `seeds`.
    pub(super) fn figures(self, seeds: u64) -> Figures {
        let runs: Vec<Run> = (1..=seeds).map(|seed| self.run(seed)).collect();
        let mean = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / seeds as f64;
        let worst = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).fold(0.0, f64::max);
        let mut waits: Vec<u64> = runs.iter().flat_map(Run::interactive_waits).collect();
        waits.sort_unstable();
        let times = self.client.map(|client| Adapting {
            throttled: mean(&|run| run.throttled(client.from, client.until)),
            settled: mean(&|run| run.throttled(client.from + 120_000, client.until)),
            adapted: mean(&|run| run.adapted(client)),
            adapted_worst: worst(&|run| run.adapted(client)),
            recovered: mean(&|run| run.recovered(client)),
            recovered_worst: worst(&|run| run.recovered(client)),
            meanwhile: mean(&|run| run.rate(client.from + 60_000, client.until)),
        });
        Figures {
            throttled: mean(&|run| run.throttled(0, u64::MAX)),
            throttled_worst: worst(&|run| run.throttled(0, u64::MAX)),
            utilisation: mean(&Run::utilisation),
            to_last_release: mean(&Run::to_last_release),
            drain: mean(&|run| run.drain() / 1_000.0),
            over_bound: mean(&|run| run.bound().map_or(0.0, |bound| run.drain() / bound)),
            waits_p95: waits.get(waits.len() * 95 / 100).copied().unwrap_or(0),
            waits_worst: waits.last().copied().unwrap_or(0),
            times,
        }
    }
}

impl Estimates {
    /// What the lane believes about jobs that cost what they cost.
    fn make(self, jobs: &mut [Job], seed: u64) {
        let mut dice = Dice(seed ^ 0xe57);
        for job in jobs.iter_mut().filter(|_| self.spread + self.low > 0) {
            let percent = 100 + self.spread - dice.below(2 * self.spread + 1) - self.low;
            job.waiting = Workload::believed(job, percent);
        }
    }
}

/// What one run shows.
pub(super) struct Run {
    pub(super) world: World,
    quota: u64,
    begin: u64,
    ends: Option<u64>,
    bound: Option<u64>,
}

impl Run {
    /// Refusals in percent of the calls that were answered, between two moments after the beginning.
    pub(super) fn throttled(&self, from: u64, until: u64) -> f64 {
        let within = |at: u64| (from..until).contains(&at.saturating_sub(self.begin));
        let refused = self.world.refused_at.iter().filter(|at| within(**at)).count();
        let answered = self.world.ends.iter().filter(|(at, _)| within(*at)).count();
        100.0 * refused as f64 / answered.max(1) as f64
    }

    /// Tokens charged in percent of what the quota is, between two moments after the beginning.
    pub(super) fn rate(&self, from: u64, until: u64) -> f64 {
        let within = |at: u64| (from..until).contains(&at.saturating_sub(self.begin));
        let ends = self.world.ends.iter().filter(|(at, _)| within(*at));
        let charged: u64 = ends.map(|(_, charged)| charged).sum();
        100.0 * charged as f64 / (self.quota as f64 * (until - from) as f64 / 60_000.0)
    }

    fn share_of(&self, span: f64) -> f64 {
        100.0 * self.world.charged as f64 / (self.quota as f64 * span / 60_000.0)
    }

    fn utilisation(&self) -> f64 {
        match self.ends {
            Some(ends) => self.share_of((ends - self.begin) as f64),
            None => self.share_of(self.drain()),
        }
    }

    fn to_last_release(&self) -> f64 {
        self.share_of((self.world.last_release - self.world.first_release.unwrap()) as f64)
    }

    /// Milliseconds that one who knows the limiter takes, where it is a burst.
    pub(super) fn bound(&self) -> Option<f64> {
        self.bound.map(|bound| bound as f64)
    }

    /// Seconds from the beginning to the wall clock's next minute.
    pub(super) fn turns_after(&self) -> u64 {
        (60_000 - (START + self.begin) % 60_000) / 1_000
    }

    pub(super) fn drain(&self) -> f64 {
        (self.world.last_completion - self.world.first_release.unwrap()) as f64
    }

    fn interactive_waits(&self) -> Vec<u64> {
        let all = self.world.jobs.iter().zip(&self.world.fates);
        let interactive = all.filter(|(job, _)| job.waiting.priority == Priority::Interactive);
        let waits = interactive.filter_map(|(job, fate)| {
            let arrived = job.waiting.arrived_at.as_millis() - START;
            Some(fate.released? - arrived)
        });
        waits.collect()
    }

    /// Seconds after the client has come until a minute begins in which at most 2 % of the calls are refused.
    fn adapted(&self, client: Client) -> f64 {
        let looks = (client.from..client.until - 60_000).step_by(5_000);
        let good = |from: &u64| self.throttled(*from, from + 60_000) <= 2.0;
        let first = looks.into_iter().find(good);
        first.map_or(999.0, |first| (first - client.from) as f64 / 1_000.0)
    }

    /// Seconds after it has gone until a minute begins in which 90 % of the quota are used.
    fn recovered(&self, client: Client) -> f64 {
        let mut looks = (client.until..client.until + 540_000).step_by(1_000);
        let first = looks.find(|from| self.rate(*from, from + 60_000) >= 90.0);
        first.map_or(999.0, |first| (first - client.until) as f64 / 1_000.0)
    }
}

/// What several runs show, in the mean where nothing else is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Refusals in percent of the calls answered.
    pub(super) throttled: f64,
    pub(super) throttled_worst: f64,
    /// Tokens charged in percent of the quota, from the first release to the last end.
    pub(super) utilisation: f64,
    /// The same to the last release.
    pub(super) to_last_release: f64,
    /// Seconds.
    pub(super) drain: f64,
    /// Drain, in parts of that of one who knows the limiter.
    pub(super) over_bound: f64,
    /// Milliseconds from an interactive request's arrival to its last release.
    pub(super) waits_p95: u64,
    pub(super) waits_worst: u64,
    pub(super) times: Option<Adapting>,
}

/// How another client was lived with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adapting {
    /// While it was there, in percent.
    pub(super) throttled: f64,
    /// The same from two minutes after it has come on.
    pub(super) settled: f64,
    /// Seconds.
    pub(super) adapted: f64,
    pub(super) adapted_worst: f64,
    pub(super) recovered: f64,
    pub(super) recovered_worst: f64,
    /// Own use of the quota while it was there, in percent.
    pub(super) meanwhile: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}) | ", self.throttled, self.throttled_worst)?;
        if let Some(it) = self.times {
            return write!(
                f,
                "{:.2} | {:.2} | {:.1} | {:.0} ({:.0}) | {:.0} ({:.0})",
                it.throttled,
                it.settled,
                it.meanwhile,
                it.adapted,
                it.adapted_worst,
                it.recovered,
                it.recovered_worst
            );
        }
        write!(f, "{:.1} | {:.1} | ", self.utilisation, self.to_last_release)?;
        if self.over_bound > 0.0 {
            write!(f, "{:.1} | {:.2} | ", self.drain, self.over_bound)?;
        } else {
            write!(f, "— | — | ")?;
        }
        write!(f, "{} | {}", self.waits_p95, self.waits_worst)
    }
}
