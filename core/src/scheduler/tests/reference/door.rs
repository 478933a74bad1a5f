//! Who is let in at the door, and who makes room.

use super::super::super::shed::made_room;
use super::super::super::{Command, Waiting};
use super::{Fault, Reference, State};
use crate::config::Bound;
use crate::fallback::HopCause;
use crate::ids::{RequestId, TenantId};
use crate::request::Priority;
use crate::units::{Millis, Timestamp, Tokens};

/// A bound by its key, what it is, and how much waits.
pub(crate) type Exceeded = (String, u64, u64);

impl Reference {
    /// Whether a request may come in; one that may holds a place. What makes room for it is in `out`.
    pub(crate) fn admit(
        &mut self,
        now: Timestamp,
        one: &Waiting,
        out: &mut Vec<Command>,
    ) -> Result<(), Exceeded> {
        self.now = self.now.max(now);
        let now = self.now;
        if !self.config.is_bound(one.priority, &one.tenant) {
            return Ok(());
        }
        self.held
            .retain(|(held, until)| *until > now && held.id != one.id);
        if self.exceeded(one, &[]).is_some() {
            self.look(out);
            let (mut gone, mut why) = (Vec::new(), Vec::new());
            while let Some(exceeded) = self.exceeded(one, &gone) {
                match self.last_of_lower_bands(one, &exceeded, &gone) {
                    Some(number) if self.config.limits.shed && gone.len() < 64 => {
                        gone.push(number);
                        why.push(exceeded);
                    }
                    _ => return Err(exceeded),
                }
            }
            for (number, why) in gone.into_iter().zip(why) {
                self.is_shed(number, &why, one.priority, out);
            }
        }
        self.held.push((one.clone(), now + Millis::from_secs(10)));
        Ok(())
    }

    /// What one more would exceed if these were gone.
    fn exceeded(&self, one: &Waiting, gone: &[u32]) -> Option<Exceeded> {
        let (all, own) = (self.config.limits, self.config.bounds.get(&one.tenant).copied());
        let own = own.unwrap_or_default();
        let band = one.priority.as_str();
        let of_band = |other: &Waiting| other.priority == one.priority;
        let of_tenant = |other: &Waiting| other.tenant == one.tenant;
        let rest = Bound {
            requests: all.tenant.requests.filter(|_| own.requests.is_none()),
            tokens: all.tenant.tokens.filter(|_| own.tokens.is_none()),
        };
        let key = format!("limits.{band}_waiting");
        self.room(one, gone, &key, all.of(one.priority), of_band)
            .or_else(|| self.room(one, gone, "tenants.*.max_waiting", own, of_tenant))
            .or_else(|| self.room(one, gone, "limits.tenant_waiting", rest, of_tenant))
            .or_else(|| self.room(one, gone, "limits.waiting", all.lane, |_| true))
    }

    fn room(
        &self,
        one: &Waiting,
        gone: &[u32],
        key: &str,
        bound: Bound,
        counts: impl Fn(&Waiting) -> bool,
    ) -> Option<Exceeded> {
        if self.has(Fault::BoundOverlooked) {
            return None;
        }
        let here = self.requests.iter().filter(|request| request.waits());
        let here = here.filter(|request| !gone.contains(&request.number));
        let sizes: Vec<u64> = here
            .map(|request| &request.of)
            .chain(self.held_and_will_wait())
            .filter(|other| counts(other))
            .map(|other| other.reserve.get())
            .collect();
        let (waiting, tokens) = (sizes.len() as u64, sizes.iter().sum::<u64>());
        match (bound.requests, bound.tokens.map(Tokens::get)) {
            (Some(most), _) if waiting >= most => Some((key.to_owned(), most, waiting)),
            (_, Some(most)) if waiting > 0 && tokens + one.reserve.get() > most => {
                Some((format!("{key}_tokens"), most, tokens))
            }
            _ => None,
        }
    }

    /// Those let in who have not come, but for as many as will go at once when they do.
    fn held_and_will_wait(&self) -> Vec<&Waiting> {
        let now = self.now;
        let (mut calls, mut tokens) = (0, 0);
        let empty = !self.requests.iter().any(super::Request::waits);
        if empty && self.ledger.shut(now).is_none() {
            calls = self.ledger.concurrency_view(now).free;
            if let Some(requests) = self.ledger.requests_view(now) {
                calls = calls.min(requests.free);
            }
            calls = calls.min(
                self.config
                    .handing
                    .most_unclaimed
                    .saturating_sub(self.unclaimed()),
            );
            calls = calls.min(self.breaker.room(now));
            tokens = self.ledger.tokens_view(now).free;
        }
        let (mut will_wait, mut going) = (Vec::new(), Vec::new());
        for (held, _) in &self.held {
            let own = |other: &&TenantId| **other == held.tenant;
            let under_way = self.requests.iter().filter(|request| !request.waits());
            let under_way = under_way.map(|request| &request.of.tenant).filter(own).count();
            let with_them = under_way + going.iter().copied().filter(own).count();
            let below_its_cap = (with_them as u64) < u64::from(self.config.terms(&held.tenant).most);
            if calls > 0 && tokens >= held.reserve.get() && below_its_cap {
                going.push(&held.tenant);
                calls -= 1;
                tokens -= held.reserve.get();
            } else {
                will_wait.push(held);
            }
        }
        will_wait
    }

    /// Of the lowest band the last in line of the tenant with most in line, if it has not been called before.
    fn last_of_lower_bands(&self, one: &Waiting, why: &Exceeded, gone: &[u32]) -> Option<u32> {
        let of_lane = why.0.starts_with("limits.waiting");
        let of_tenant = why.0.contains("tenant");
        let bands = [Priority::Batch, Priority::Normal, Priority::Interactive];
        for band in bands.into_iter().filter(|band| *band > one.priority) {
            let mut best: Option<(usize, &str, u32)> = None;
            for tenant in self.tenants.iter().filter(|tenant| tenant.band == band) {
                if !(of_lane || of_tenant && tenant.name == one.tenant) {
                    continue;
                }
                let mut line = self.line(tenant.number);
                line.retain(|number| !gone.contains(number));
                let Some(last) = line.last().filter(|last| !self.request(**last).returned) else {
                    continue;
                };
                let better = best.is_none_or(|(most, name, _)| {
                    line.len() > most || (line.len() == most && tenant.name.as_str() < name)
                });
                if better {
                    best = Some((line.len(), tenant.name.as_str(), *last));
                }
            }
            if let Some((_, _, number)) = best {
                return Some(number);
            }
        }
        None
    }

    fn is_shed(&mut self, number: u32, why: &Exceeded, by: Priority, out: &mut Vec<Command>) {
        let of = self.request(number).of.clone();
        let tenant = self.request(number).tenant;
        assert_eq!(self.request(number).state, State::InLine);
        let failure = made_room(&self.config.lane.id, &why.0, why.1, by);
        out.push(if of.may_leave {
            Command::Leave {
                request: of.id,
                cause: HopCause::Shed,
            }
        } else {
            Command::Fail {
                request: of.id,
                failure,
            }
        });
        self.forget(number);
        self.refill(tenant, out);
    }

    /// It has come, or will not.
    pub(super) fn has_come(&mut self, id: RequestId) {
        self.held.retain(|(held, _)| held.id != id);
    }
}
