//! The door's questions where only a report of the lane answers: on AWS, where the lane's scheduler is another process's.
//!
//! A report tells how much waits of each band and of those tenants that are nearest to a bound or have most in line, and
//! for the longest lines when one that is due then would go **at best** (see [`super::forecast`]). What it does not tell,
//! nobody is refused for: a tenant that is not in it has nothing waiting, and one whose time it does not bound is in time.
//! Between a report and the question lie some seconds, in which as much may come as comes in that time.

use super::bounds::{Crowd, Full, Load, Scope};
use super::door::TurnedAway;
use super::shed::MOST;
use super::view::{Forecast, LaneReport, TenantReport};
use super::{SchedulerConfig, Waiting};
use crate::config::Bound;
use crate::ids::TenantId;
use crate::request::Priority;
use crate::units::{Timestamp, Tokens};

impl SchedulerConfig {
    /// Whether anything bounds what waits in the lane.
    pub fn is_bounded(&self) -> bool {
        Priority::ALL.into_iter().any(|band| self.limits.bound(band)) || !self.bounds.is_empty()
    }

    /// How near a tenant that has so much waiting is to its bound, in thousandths; zero where it has none.
    pub(super) fn nearness(&self, tenant: &TenantId, load: Load) -> u64 {
        let own = self.bounds.get(tenant).copied().unwrap_or_default();
        let Bound { requests, tokens } = own.or(self.limits.tenant);
        let part = |waiting: u64, most: u64| {
            let part = u128::from(waiting) * 1_000 / u128::from(most.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let by_requests = requests.map_or(0, |most| part(load.requests, most));
        by_requests.max(tokens.map_or(0, |most| part(load.tokens.get(), most.get())))
    }
}

impl LaneReport {
    /// Whether a new request may come in, and about when it would go: as [`super::Scheduler::admit`], as far as this
    /// tells.
    ///
    /// # Errors
    /// What leaves it no room, or by how much it would be late.
    pub fn admit(&self, config: &SchedulerConfig, newcomer: &Waiting) -> Result<Forecast, TurnedAway> {
        let soft = newcomer.arrived_at + newcomer.priority.soft_deadline();
        let due = newcomer.deadline.unwrap_or(soft);
        let forecast = self
            .forecast(newcomer.priority, due)
            .not_before(self.at_best(newcomer));
        if let Some(late) = config.too_late(newcomer, &forecast) {
            return Err(TurnedAway::Late(late));
        }
        self.room(config, newcomer).map_err(TurnedAway::Full)?;
        Ok(forecast)
    }

    /// The moment before which a request that waits, or would, does not go even if all goes better than it looks.
    pub fn at_best(&self, one: &Waiting) -> Timestamp {
        let opens = self.opens.unwrap_or(self.view.at).max(self.view.at);
        if one.may_leave && opens > self.view.at {
            // It does not wait here, but goes on in its chain.
            return self.view.at;
        }
        let tenant = self.tenant(&one.tenant);
        let line = tenant.and_then(|of| of.lines.get(one.priority.as_str()));
        let Some(line) = line else { return opens };
        let soft = one.arrived_at + one.priority.soft_deadline();
        let due = one.deadline.unwrap_or(soft);
        // Beside others it may pass them near its own limit, and only those of an earlier limit stand ahead of it.
        let limit = one.latest_start.into_iter().chain(one.deadline).min();
        let until = if line.alone {
            Some(due)
        } else {
            limit.map(|limit| limit.min(due))
        };
        let Some(until) = until else { return opens };
        let before = line.marks.iter().filter(|mark| mark.due < until);
        before.map(|mark| mark.earliest).max().unwrap_or(opens).max(opens)
    }

    fn tenant(&self, id: &TenantId) -> Option<&TenantReport> {
        self.tenants.iter().find(|tenant| tenant.id == *id)
    }

    /// Whether there is room for it, or could be made.
    fn room(&self, config: &SchedulerConfig, newcomer: &Waiting) -> Result<(), Full> {
        let bands = Priority::ALL.map(|band| self.waits_in(band));
        let own = self
            .tenant(&newcomer.tenant)
            .map_or([Load::default(); 3], |of| of.loads);
        let all = |loads: [Load; 3]| loads.into_iter().fold(Load::default(), Load::and);
        let lower = |loads: [Load; 3]| {
            let of = |band: Priority| {
                if band > newcomer.priority {
                    loads[band.index()]
                } else {
                    Load::default()
                }
            };
            all(Priority::ALL.map(of))
        };
        let mut crowd = Crowd {
            lane: all(bands),
            band: bands[newcomer.priority.index()],
            tenant: all(own),
        };
        let (mut below, mut own_below) = (lower(bands), lower(own));
        for _ in 0..=MOST {
            let Some(full) = crowd.full(config, newcomer, |scope| self.first_goes(scope)) else {
                return Ok(());
            };
            let from = match full.scope {
                Scope::Lane => below,
                Scope::Tenant { .. } => own_below,
                Scope::Band(_) => Load::default(),
            };
            if !config.limits.shed || from.requests == 0 {
                return Err(full);
            }
            // One that is as large as they are on the average makes room.
            let each = Tokens::new(from.tokens.get() / from.requests);
            crowd.lane.take(each);
            below.take(each);
            if matches!(full.scope, Scope::Tenant { .. }) {
                crowd.tenant.take(each);
                own_below.take(each);
            }
        }
        crowd
            .full(config, newcomer, |scope| self.first_goes(scope))
            .map_or(Ok(()), Err)
    }

    fn waits_in(&self, band: Priority) -> Load {
        let view = self.view.waiting.get(band.as_str()).copied().unwrap_or_default();
        Load {
            requests: view.requests,
            tokens: Tokens::new(view.tokens),
        }
    }

    /// When the first of those that a bound is on is expected to go.
    fn first_goes(&self, scope: &Scope) -> Timestamp {
        let first = |band: Priority| Some(self.lines.get(band.as_str())?.first()?.start);
        let any = || Priority::ALL.into_iter().filter_map(first).min();
        let goes = match scope {
            Scope::Band(band) => first(*band),
            Scope::Tenant { id, .. } => self.tenant(id).and_then(|tenant| tenant.first).or_else(any),
            Scope::Lane => any(),
        };
        goes.unwrap_or(self.view.at)
    }
}
