//! The indexes of what waits: eventually consistent views of the rows, each row's versions in their order.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::ports::{Counted, Heads};
use smoother_core::scheduler::Waiting;
use smoother_core::{LaneId, Priority, Request, RequestId, State, TenantId, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// A row's version as an index comes to have it.
#[derive(Debug, Clone)]
struct Version {
    visible: Instant,
    /// Where and how it waits; `None` for one that does not.
    entry: Option<(LaneId, Waiting)>,
}

/// What the indexes know, and will come to know.
#[derive(Debug)]
pub(super) struct Indexes {
    longest_lag: Duration,
    chance: StdRng,
    burndowns: BTreeMap<LaneId, u64>,
    versions: BTreeMap<RequestId, VecDeque<Version>>,
}

impl Default for Indexes {
    fn default() -> Self {
        Self {
            longest_lag: Duration::ZERO,
            chance: StdRng::seed_from_u64(0),
            burndowns: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }
}

impl Indexes {
    /// From now on every version becomes visible after a lag of its own, up to this one.
    pub(super) fn lag(&mut self, longest: Duration, seed: u64) {
        self.longest_lag = longest;
        self.chance = StdRng::seed_from_u64(seed);
    }

    pub(super) fn price(&mut self, burndowns: BTreeMap<LaneId, u64>) {
        self.burndowns = burndowns;
    }

    pub(super) fn add(&mut self, row: &Request) {
        let now = Instant::now();
        let most = u64::try_from(self.longest_lag.as_millis()).unwrap_or(u64::MAX);
        let lag = Duration::from_millis(if most == 0 {
            0
        } else {
            self.chance.random_range(0..=most)
        });
        let burndown = self.burndowns.get(&row.lane).copied().unwrap_or(1);
        let entry = (row.state == State::Queued).then(|| (row.lane.clone(), Waiting::priced(row, burndown)));
        let versions = self.versions.entry(row.id).or_default();
        let after = versions.back().map_or(now, |last| last.visible);
        versions.push_back(Version {
            visible: (now + lag).max(after),
            entry,
        });
        while versions.get(1).is_some_and(|second| second.visible <= now) {
            versions.pop_front();
        }
    }

    /// What the indexes show of a lane by now.
    fn shown(&self, lane: &LaneId) -> impl Iterator<Item = &Waiting> {
        let now = Instant::now();
        self.versions.values().filter_map(move |versions| {
            let seen = versions.iter().rev().find(|version| version.visible <= now)?;
            let (of, waiting) = seen.entry.as_ref()?;
            (of == lane).then_some(waiting)
        })
    }

    pub(super) fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Heads {
        let of_tenant =
            |one: &&Waiting| one.not_before.is_none() && one.priority == priority && one.tenant == *tenant;
        page(self.shown(lane).filter(of_tenant), due_of, after, limit)
    }

    pub(super) fn count(&self, lane: &LaneId, priority: Priority, tenant: &TenantId) -> Counted {
        let all = self.heads(lane, priority, tenant, None, usize::MAX).waiting;
        Counted {
            requests: all.len() as u64,
            last_due: all.last().map(due_of),
        }
    }

    pub(super) fn due(&self, lane: &LaneId, until: Timestamp, after: Option<&str>, limit: usize) -> Heads {
        let comes = |one: &&Waiting| one.not_before.is_some_and(|at| at <= until);
        let time = |one: &Waiting| one.not_before.unwrap_or(Timestamp::EPOCH);
        page(self.shown(lane).filter(comes), time, after, limit)
    }
}

fn due_of(one: &Waiting) -> Timestamp {
    one.deadline
        .unwrap_or(one.arrived_at + one.priority.soft_deadline())
}

fn page<'a>(
    all: impl Iterator<Item = &'a Waiting>,
    time: impl Fn(&Waiting) -> Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Heads {
    let key = |one: &Waiting| format!("{:013}#{}", time(one).as_millis(), one.id);
    let mut sorted: Vec<(String, &Waiting)> = all.map(|one| (key(one), one)).collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let rest = sorted
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    let mut page: Vec<_> = rest.take(limit.saturating_add(1)).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    Heads {
        next: page.last().filter(|_| more).map(|(key, _)| key.clone()),
        waiting: page.into_iter().map(|(_, one)| one.clone()).collect(),
    }
}
