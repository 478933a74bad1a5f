//! Who waited how long, and whether the quota was shared fairly.

use super::fair::jain;
use super::waits::Waits;
use crate::replay::{Replay, Setup};
use crate::round::percent;
use crate::workload::Workload;
use serde::Serialize;
use smoother_core::{Millis, TenantId, Tokens};
use std::collections::BTreeMap;

/// One tenant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TenantShown {
    /// Who.
    pub tenant: String,
    /// Its requests.
    pub requests: u64,
    /// Tokens it was charged.
    pub tokens: u64,
    /// That, in percent of all.
    pub share_percent: f64,
    /// Its waits.
    #[serde(flatten)]
    pub waits: Waits,
}

/// All tenants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tenants {
    /// Jain's index of the tokens, by weight, that a band's tenants started in minutes through which each of them had
    /// something waiting; 1 is as fair as can be, and there is none where no two ever had.
    pub jain: Option<f64>,
    /// The first few that together have at least half of the tokens.
    pub heavy: u64,
    /// The waits of all the others.
    pub light: Waits,
    /// Everyone, by tokens, the heaviest first.
    pub each: Vec<TenantShown>,
}

#[derive(Default)]
struct Sum {
    requests: u64,
    tokens: Tokens,
    waits: Vec<Millis>,
}

impl Tenants {
    pub(super) fn of(workload: &Workload, setup: &Setup, replay: &Replay) -> Self {
        let mut sums: BTreeMap<&TenantId, Sum> = BTreeMap::new();
        for (job, fate) in workload.jobs().iter().zip(&replay.fates) {
            let sum = sums.entry(&job.tenant).or_default();
            sum.requests += 1;
            sum.waits.extend(fate.started.map(|at| at.since(job.arrived)));
        }
        for call in &replay.calls {
            if let Some(sum) = workload
                .jobs()
                .get(call.job)
                .and_then(|job| sums.get_mut(&job.tenant))
            {
                sum.tokens += call.cost;
            }
        }
        let all: Tokens = sums.values().map(|sum| sum.tokens).sum();
        let mut sums: Vec<(&TenantId, Sum)> = sums.into_iter().collect();
        sums.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.tokens, sum.requests)));
        let heavy = heavy(sums.iter().map(|(_, sum)| sum.tokens), all);
        let light = sums
            .iter()
            .skip(heavy)
            .flat_map(|(_, sum)| sum.waits.iter().copied());
        Self {
            jain: jain(workload, setup, replay),
            heavy: heavy as u64,
            light: Waits::of(light.collect()),
            each: sums
                .into_iter()
                .map(|(tenant, sum)| TenantShown {
                    tenant: tenant.to_string(),
                    requests: sum.requests,
                    tokens: sum.tokens.get(),
                    share_percent: percent(sum.tokens.get(), all.get()),
                    waits: Waits::of(sum.waits),
                })
                .collect(),
        }
    }
}

/// How many of the first have at least half of all.
fn heavy(tokens: impl Iterator<Item = Tokens>, all: Tokens) -> usize {
    let mut sum = Tokens::ZERO;
    let before = tokens.take_while(|tokens| {
        let short = sum.times(2) < all;
        sum += *tokens;
        short
    });
    before.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_ones_have_half() {
        let of = |tokens: &[u64]| {
            let all = Tokens::new(tokens.iter().sum());
            heavy(tokens.iter().copied().map(Tokens::new), all)
        };
        assert_eq!(of(&[5, 3, 2]), 1);
        assert_eq!(of(&[4, 3, 3]), 2);
        assert_eq!((of(&[7]), of(&[])), (1, 0));
    }
}
