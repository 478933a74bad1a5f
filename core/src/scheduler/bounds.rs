//! Bounds on what waits, held at the door.
//!
//! A request that would make more wait than may is refused before anything of it is stored, with the bound and the
//! moment at which the first of those that wait is expected to go. What was accepted is never refused: what comes back
//! from a call, comes on from another lane, or is taken up by a restart waits beyond any bound.
//!
//! Between the door's question and the arrival lies a commit. So whoever is let in holds a place until its arrival is
//! told, or for [`HELD_FOR`] where it never is: many doors at once let in no more than one would. A place is not held
//! against others where it will not be waited in: as far as nothing waits, and calls and tokens are free, the tenant's own
//! calls at once among them.

use super::lane::Scheduler;
use super::{SchedulerConfig, Waiting};
use crate::config::Bound;
use crate::ids::{RequestId, TenantId};
use crate::request::Priority;
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a place is held for one that was let in and does not come.
const HELD_FOR: Millis = Millis::from_secs(10);

/// How much of something waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Requests.
    pub requests: u64,
    /// Tokens that they will reserve.
    pub tokens: Tokens,
}

impl Load {
    pub(super) fn add(&mut self, reserve: Tokens) {
        self.requests += 1;
        self.tokens += reserve;
    }

    pub(super) fn take(&mut self, reserve: Tokens) {
        self.requests = self.requests.saturating_sub(1);
        self.tokens -= reserve;
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            tokens: self.tokens + other.tokens,
        }
    }
}

/// What a bound counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Requests.
    Requests,
    /// The tokens they reserve.
    Tokens,
}

/// Whose waiting work a bound is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The lane's.
    Lane,
    /// A band's.
    Band(Priority),
    /// A tenant's, by its own bound or by every tenant's.
    Tenant {
        /// Which.
        id: TenantId,
        /// Whether the bound is its own.
        own: bool,
    },
}

/// A bound that leaves no room for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// What it is on.
    pub scope: Scope,
    /// What it counts.
    pub measure: Measure,
    /// How much may wait.
    pub bound: u64,
    /// How much does.
    pub waiting: u64,
    /// When the first of those that wait is expected to go.
    pub next: Timestamp,
}

impl Full {
    /// The bound's key in the configuration, `*` for a tenant's name.
    pub fn key(&self) -> &'static str {
        use Measure::{Requests, Tokens};
        match (&self.scope, self.measure) {
            (Scope::Lane, Requests) => "limits.waiting",
            (Scope::Lane, Tokens) => "limits.waiting_tokens",
            (Scope::Band(Priority::Interactive), Requests) => "limits.interactive_waiting",
            (Scope::Band(Priority::Interactive), Tokens) => "limits.interactive_waiting_tokens",
            (Scope::Band(Priority::Normal), Requests) => "limits.normal_waiting",
            (Scope::Band(Priority::Normal), Tokens) => "limits.normal_waiting_tokens",
            (Scope::Band(Priority::Batch), Requests) => "limits.batch_waiting",
            (Scope::Band(Priority::Batch), Tokens) => "limits.batch_waiting_tokens",
            (Scope::Tenant { own: false, .. }, Requests) => "limits.tenant_waiting",
            (Scope::Tenant { own: false, .. }, Tokens) => "limits.tenant_waiting_tokens",
            (Scope::Tenant { own: true, .. }, Requests) => "tenants.*.max_waiting",
            (Scope::Tenant { own: true, .. }, Tokens) => "tenants.*.max_waiting_tokens",
        }
    }
}

/// What waits, as far as it matters to one newcomer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Crowd {
    pub(super) lane: Load,
    pub(super) band: Load,
    pub(super) tenant: Load,
}

impl Crowd {
    /// The first bound that `newcomer` would exceed; `next` says of a bound's scope when the first of it goes.
    pub(super) fn full(
        &self,
        config: &SchedulerConfig,
        newcomer: &Waiting,
        next: impl Fn(&Scope) -> Timestamp,
    ) -> Option<Full> {
        let limits = &config.limits;
        let own = config.bounds.get(&newcomer.tenant).copied().unwrap_or_default();
        let tenant = |own| Scope::Tenant {
            id: newcomer.tenant.clone(),
            own,
        };
        let rest = Bound {
            requests: limits.tenant.requests.filter(|_| own.requests.is_none()),
            tokens: limits.tenant.tokens.filter(|_| own.tokens.is_none()),
        };
        let bounds = [
            (
                Scope::Band(newcomer.priority),
                limits.of(newcomer.priority),
                self.band,
            ),
            (tenant(true), own, self.tenant),
            (tenant(false), rest, self.tenant),
            (Scope::Lane, limits.lane, self.lane),
        ];
        bounds.into_iter().find_map(|(scope, bound, load)| {
            let (measure, bound, waiting) = exceeded(bound, load, newcomer.reserve)?;
            Some(Full {
                next: next(&scope),
                scope,
                measure,
                bound,
                waiting,
            })
        })
    }
}

/// What one more of this size would exceed. One may wait whatever its size, or it could never be let in.
fn exceeded(bound: Bound, load: Load, reserve: Tokens) -> Option<(Measure, u64, u64)> {
    let requests = bound.requests.filter(|most| load.requests >= *most);
    if let Some(most) = requests {
        return Some((Measure::Requests, most, load.requests));
    }
    let tokens = bound.tokens.filter(|most| load.tokens + reserve > *most);
    let most = tokens.filter(|_| load.requests > 0)?;
    Some((Measure::Tokens, most.get(), load.tokens.get()))
}

/// One that was let in and has not arrived.
#[derive(Debug)]
pub(super) struct Held {
    id: RequestId,
    tenant: TenantId,
    priority: Priority,
    reserve: Tokens,
    until: Timestamp,
}

impl Scheduler {
    /// The first bound that leaves a new request no room beside so much, if one does.
    pub(super) fn first_full(&self, now: Timestamp, newcomer: &Waiting, crowd: &Crowd) -> Option<Full> {
        crowd.full(&self.config, newcomer, |scope| self.first_goes(now, scope))
    }

    /// Places of those who will not come any more, and of whoever asks again.
    pub(super) fn give_back_places(&mut self, now: Timestamp, id: RequestId) {
        self.held.retain(|held| held.until > now && held.id != id);
    }

    /// It was let in.
    pub(super) fn hold_place(&mut self, now: Timestamp, newcomer: &Waiting) {
        self.held.push(Held {
            id: newcomer.id,
            tenant: newcomer.tenant.clone(),
            priority: newcomer.priority,
            reserve: newcomer.reserve,
            until: now + HELD_FOR,
        });
    }

    /// It has come, or will not.
    pub(super) fn no_longer_held(&mut self, id: RequestId) {
        self.held.retain(|held| held.id != id);
    }

    pub(super) fn crowd(&self, now: Timestamp, newcomer: &Waiting) -> Crowd {
        let beyond = self.beyond();
        let own = self.shares.all_of(&newcomer.tenant);
        let band = newcomer.priority.index();
        let mut crowd = Crowd {
            lane: self
                .counts
                .into_iter()
                .chain(beyond)
                .fold(Load::default(), Load::and),
            band: self.counts[band].and(beyond[band]),
            tenant: own.into_iter().fold(Load::default(), Load::and),
        };
        let mut free = self.free_at_once(now, crowd.lane);
        let mut going = BTreeMap::new();
        for held in &self.held {
            if free.requests > 0
                && free.tokens >= held.reserve
                && self.has_one_more_call(&held.tenant, &mut going)
            {
                free.take(held.reserve);
                continue;
            }
            crowd.lane.add(held.reserve);
            if held.priority == newcomer.priority {
                crowd.band.add(held.reserve);
            }
            if held.tenant == newcomer.tenant {
                crowd.tenant.add(held.reserve);
            }
        }
        crowd
    }

    /// Whether a tenant could have one more call beside those under way and those that are `going`; then it has.
    fn has_one_more_call<'a>(&self, tenant: &'a TenantId, going: &mut BTreeMap<&'a TenantId, u32>) -> bool {
        let most = self.config.terms(tenant).most;
        if most == u32::MAX {
            return true;
        }
        let calls = going
            .entry(tenant)
            .or_insert_with(|| self.shares.under_way_of(tenant));
        let has = *calls < most;
        *calls += u32::from(has);
        has
    }

    /// What could go at once. Nothing, where anything waits.
    fn free_at_once(&self, now: Timestamp, waiting: Load) -> Load {
        if waiting.requests > 0 || self.ledger.shut(now).is_some() {
            return Load::default();
        }
        let calls = self.ledger.concurrency_view(now).free;
        let requests = self.ledger.requests_view(now).map_or(u64::MAX, |view| view.free);
        let unclaimed = self.config.handing.most_unclaimed.saturating_sub(self.released);
        let by_breaker = self.breaker.room(now);
        Load {
            requests: calls.min(requests).min(unclaimed).min(by_breaker),
            tokens: Tokens::new(self.ledger.tokens_view(now).free),
        }
    }

    /// When the first of those that a bound is on is expected to go.
    fn first_goes(&self, now: Timestamp, scope: &Scope) -> Timestamp {
        let goes = |slot: u32| Some(self.forecast(now, self.table.get(slot)?.id)?.start);
        let first_of = |flow: u32| self.shares.flow(flow)?.line.first().and_then(goes);
        let first = match scope {
            Scope::Lane => self.shares.head().and_then(goes),
            Scope::Band(priority) => {
                let flow = self.shares.flows_in_turn(*priority).next();
                flow.and_then(first_of)
            }
            Scope::Tenant { id, .. } => self.shares.flows_of(id).filter_map(first_of).min(),
        };
        first.unwrap_or(now)
    }
}
