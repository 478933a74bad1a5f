//! Which quota, or which max_tokens, would meet a wait: by bisection over replays.
//!
//! It rests on a higher quota, and a smaller max_tokens, not making anyone wait longer. Near the target that can fail
//! by chance, so what is answered is a value that was played and met it, within a hundredth of one that did not.

use crate::replay::{Replay, RightSized, Setup, replay};
use crate::report::quantile;
use crate::round::{percent, whole};
use crate::workload::Workload;
use serde::Serialize;
use smoother_core::{Millis, Priority, Tokens, TokensPerMinute};

/// A higher quota than this many times the mean demand is not tried.
const MOST_TIMES: u64 = 64;
/// As close as bisection goes.
const CLOSE: f64 = 1.01;
/// Of the answers, so many percent have to stay whole.
const WHOLE_PERCENT: f64 = 99.0;

/// A wait that is to be met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// At most so long.
    pub wait: Millis,
    /// By this band's requests; by all where it is `None`.
    pub band: Option<Priority>,
    /// By so many percent of them.
    pub percent: f64,
}

impl Target {
    /// The wait that counts: a request that never started has waited for ever.
    fn reached(&self, workload: &Workload, replay: &Replay) -> Millis {
        let pairs = workload.jobs().iter().zip(&replay.fates);
        let mine = pairs.filter(|(job, _)| self.band.is_none_or(|band| band == job.priority));
        let mut waits: Vec<Millis> = mine
            .map(|(job, fate)| fate.started.map_or(Millis::MAX, |at| at.since(job.arrived)))
            .collect();
        waits.sort_unstable();
        quantile(&waits, self.percent).unwrap_or(Millis::ZERO)
    }
}

/// What would meet a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// `tokens_per_minute` or `max_tokens`.
    pub what: &'static str,
    /// For this band, or `all`.
    pub band: &'static str,
    /// The wait to be met.
    pub target_ms: u64,
    /// By so many percent of the requests.
    pub percent: f64,
    /// The lowest quota, or the highest max_tokens, that meets it; nothing where none does.
    pub value: Option<u64>,
    /// The wait with it; without it, the best that was found, or nothing where some request never started.
    pub wait_ms: Option<u64>,
    /// Answers that this max_tokens would cut short, in percent.
    pub cut_percent: Option<f64>,
    /// Where there is none: the last value tried.
    pub tried: Option<u64>,
    /// Replays it took.
    pub replays: u32,
}

impl Answer {
    fn to(target: &Target, what: &'static str) -> Self {
        Self {
            what,
            band: target.band.map_or("all", Priority::as_str),
            target_ms: target.wait.get(),
            percent: target.percent,
            value: None,
            wait_ms: None,
            cut_percent: None,
            tried: None,
            replays: 0,
        }
    }
}

/// The lowest quota at which `target` is met, all else as in `setup`. Where the upstream's quota is another one than
/// the lane's, it stays in proportion.
pub fn quota(workload: &Workload, setup: &Setup, target: &Target) -> Answer {
    let mut answer = Answer::to(target, "tokens_per_minute");
    let mut wait_at = |quota: u64| {
        answer.replays += 1;
        target.reached(workload, &replay(workload, &with_quota(setup, quota)))
    };
    let demand = workload
        .demand(setup.burndown(), setup.model_most())
        .a_minute()
        .max(1);
    let most = demand.saturating_mul(MOST_TIMES).max(setup.quota().get());
    let (mut low, mut high) = (0, demand);
    let mut wait = wait_at(high);
    while wait > target.wait && high < most {
        low = high;
        high = high.saturating_mul(2).min(most);
        wait = wait_at(high);
    }
    if wait > target.wait {
        answer.tried = Some(high);
        answer.wait_ms = finite(wait);
        return answer;
    }
    let mut best = (high, wait);
    while best.0 > 1 && best.0 as f64 > low.max(1) as f64 * CLOSE {
        // By halves first, since the least quota may be far below; then as in any bisection.
        let middle = if low == 0 {
            best.0 / 2
        } else {
            low.midpoint(best.0)
        };
        if middle == low || middle == best.0 {
            break;
        }
        let wait = wait_at(middle);
        if wait <= target.wait {
            best = (middle, wait);
        } else {
            low = middle;
        }
    }
    (answer.value, answer.wait_ms) = (Some(best.0), finite(best.1));
    answer
}

/// The highest max_tokens at which `target` is met at the quota of `setup`. None is tried that would cut short more
/// than a hundredth of the answers.
pub fn max_tokens(workload: &Workload, setup: &Setup, target: &Target) -> Answer {
    let mut answer = Answer::to(target, "max_tokens");
    let mut wait_at = |most: u64| {
        answer.replays += 1;
        let mut setup = setup.clone();
        setup.most = Some(Tokens::new(most));
        setup.right_sized = RightSized::Nobody;
        target.reached(workload, &replay(workload, &setup))
    };
    let most = workload
        .jobs()
        .iter()
        .map(|job| job.own_max(setup.model_most()))
        .max();
    let most = most.unwrap_or(Tokens::ZERO).get().max(1);
    let least = workload.output_quantile(WHOLE_PERCENT).get().clamp(1, most);
    let wait = wait_at(most);
    let mut best = (most, wait);
    if wait > target.wait {
        best = (least, wait_at(least));
        if best.1 > target.wait {
            answer.tried = Some(least);
            answer.wait_ms = finite(best.1);
            return answer;
        }
        let mut high = most;
        while high as f64 > best.0 as f64 * CLOSE {
            let middle = whole((high as f64 * best.0 as f64).sqrt());
            if middle <= best.0 || middle >= high {
                break;
            }
            let wait = wait_at(middle);
            if wait <= target.wait {
                best = (middle, wait);
            } else {
                high = middle;
            }
        }
    }
    let cut = workload
        .jobs()
        .iter()
        .filter(|job| job.output.get() > best.0)
        .count() as u64;
    answer.cut_percent = Some(percent(cut, workload.jobs().len() as u64));
    (answer.value, answer.wait_ms) = (Some(best.0), finite(best.1));
    answer
}

fn with_quota(setup: &Setup, quota: u64) -> Setup {
    let mut other = setup.clone();
    other.scheduler.lane.tokens_per_minute = TokensPerMinute::new(quota);
    let own = u128::from(setup.quota().get().max(1));
    other.upstream.tokens_per_minute = setup.upstream.tokens_per_minute.map(|upstream| {
        let scaled = u128::from(upstream.get()) * u128::from(quota) / own;
        TokensPerMinute::new(u64::try_from(scaled).unwrap_or(u64::MAX).max(1))
    });
    other
}

fn finite(wait: Millis) -> Option<u64> {
    Some(wait.get()).filter(|_| wait < Millis::MAX)
}
