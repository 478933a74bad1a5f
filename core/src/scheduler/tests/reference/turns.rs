//! Whose turn it is.

use super::super::super::account::{Allowance, Tag};
use super::super::super::fairness::Turn;
use super::{Fault, Reference, State, Tenant};
use crate::ids::TenantId;
use crate::request::Priority;
use crate::units::{Millis, Timestamp, Tokens};
use std::cmp::Reverse;

impl Reference {
    /// A tenant's requests in line, in the order in which they go: those that come back first, then by due time.
    pub(super) fn line(&self, tenant: u32) -> Vec<u32> {
        let in_line = |request: &&super::Request| request.state == State::InLine && request.tenant == tenant;
        let mut line: Vec<_> = self.requests.iter().filter(in_line).collect();
        if self.has(Fault::FirstComeFirstServed) {
            line.sort_by_key(|request| (!request.returned, request.of.arrived_at, request.of.id));
        } else {
            line.sort_by_key(|request| (!request.returned, request.due(), request.of.id));
        }
        line.into_iter().map(|request| request.number).collect()
    }

    /// Whether the tenant of this name has as many calls under way, in all bands, as it may have.
    fn is_capped(&self, tenant: &Tenant) -> bool {
        let under_way = self.requests.iter().filter(|request| !request.waits());
        let own = under_way.filter(|request| request.of.tenant == tenant.name);
        !self.has(Fault::CapNotCounted) && own.count() as u64 >= u64::from(tenant.terms.most)
    }

    pub(super) fn capped(&self, tenant: u32) -> bool {
        self.is_capped(self.tenant(tenant))
    }

    /// The tenants of a band that have turns, by their tags.
    pub(super) fn tenants_in_turn(&self, band: Priority) -> Vec<u32> {
        let with_turns = |tenant: &&Tenant| tenant.band == band && tenant.has_turns;
        let mut tenants: Vec<_> = self.tenants.iter().filter(with_turns).collect();
        tenants.sort_by_key(|tenant| (tenant.account.tag(), tenant.number));
        tenants.into_iter().map(|tenant| tenant.number).collect()
    }

    /// The bands in which something may go, by their tags.
    pub(super) fn bands_in_turn(&self) -> Vec<Priority> {
        let mut bands = Priority::ALL.to_vec();
        bands.retain(|band| !self.tenants_in_turn(*band).is_empty());
        if !self.has(Fault::StrictPriority) {
            bands.sort_by_key(|band| (self.bands[band.index()].account.tag(), *band));
        }
        bands
    }

    pub(super) fn head(&self) -> Option<u32> {
        let band = *self.bands_in_turn().first()?;
        let tenant = *self.tenants_in_turn(band).first()?;
        self.line(tenant).first().copied()
    }

    /// Who goes next, and by what right.
    pub(super) fn next(&self) -> Option<(u32, Turn)> {
        let head = self.head()?;
        let mut urgent: Vec<_> = self.requests.iter().filter(|request| request.urgent).collect();
        urgent.sort_by_key(|request| (request.expires, request.of.id, request.number));
        let passes = urgent
            .iter()
            .take(32)
            .find(|request| self.may_pass(request.number));
        match passes {
            Some(urgent) if urgent.tenant != self.request(head).tenant => Some((urgent.number, Turn::Urgent)),
            _ => Some((head, Turn::Own)),
        }
    }

    fn may_pass(&self, number: u32) -> bool {
        let request = self.request(number);
        (!request.retries || self.budget.allows(self.now))
            && !request.wants_alone
            && !self.capped(request.tenant)
            && self.may_owe(request.tenant, request.of.expected)
            && self.ledger.earliest(self.now, request.of.reserve) < request.expires
    }

    /// Whether tenant and band would get no further ahead than they may.
    fn may_owe(&self, tenant: u32, cost: Tokens) -> bool {
        if self.has(Fault::PassUnbounded) {
            return true;
        }
        let tenant = self.tenant(tenant);
        let band = &self.bands[tenant.band.index()];
        let bands: u64 = self.bands.iter().map(|band| u64::from(band.weight)).sum();
        let in_line = self.tenants.iter().filter(|other| other.band == tenant.band);
        let in_line = in_line.filter(|other| !self.line(other.number).is_empty());
        let tenants: u64 = in_line.map(|other| u64::from(other.terms.weight)).sum();
        // What a member of weight 1 is served in a minute while all bands, and all these tenants, have requests.
        let minute = (Tag::from(self.config.lane.tokens_per_minute.get()) << 20) / Tag::from(bands);
        let of_tenant = minute * Tag::from(band.weight) / Tag::from(tenants);
        let (weight, own) = (band.weight, tenant.terms.weight);
        band.account
            .may_pass(self.time, cost, weight, Allowance::of(minute))
            && tenant
                .account
                .may_pass(band.time, cost, own, Allowance::of(of_tenant))
    }

    /// A request in line grows urgent ten seconds before the last moment at which it can start in time, or when three
    /// quarters of its time are over.
    pub(super) fn watch_slack(&mut self, number: u32) {
        let request = self.request(number);
        let in_time = request
            .of
            .deadline
            .map(|deadline| deadline.before(self.span.mean()));
        let last = in_time.unwrap_or(Timestamp::NEVER).min(request.expires);
        let time = last.since(request.of.arrived_at).get();
        let at = last.before(Millis::from_secs(10).min(Millis::new(time / 4)));
        let expires = request.expires;
        if at > self.now {
            self.look_at(number, at.min(expires));
        } else {
            self.look_at(number, expires);
            self.request_mut(number).urgent = true;
        }
    }

    /// Gives a tenant of a band turns if something of it may go, or takes them away. Whoever had none is placed no
    /// earlier than virtual time.
    pub(super) fn give_turns(&mut self, number: u32) {
        let may_go = !self.line(number).is_empty() && !self.capped(number);
        let tenant = self.tenant(number);
        let index = tenant.band.index();
        if may_go == tenant.has_turns {
            return;
        }
        if may_go && !self.has(Fault::IdlenessSavesUp) {
            let (time, empty) = (self.time, self.tenants_in_turn(tenant.band).is_empty());
            if empty {
                self.bands[index].account.come_back(time);
            }
            let time = self.bands[index].time;
            self.tenant_mut(number).account.come_back(time);
        }
        self.tenant_mut(number).has_turns = may_go;
        if !may_go {
            self.tidy(index);
        }
    }

    /// The same for all bands of whoever is called so.
    pub(super) fn give_turns_to(&mut self, name: &TenantId) {
        for band in Priority::ALL {
            let own = |tenant: &&Tenant| tenant.name == *name && tenant.band == band;
            if let Some(number) = self.tenants.iter().find(own).map(|tenant| tenant.number) {
                self.give_turns(number);
            }
        }
    }

    /// Charges tenant and band for a call that goes; virtual time moves to where their turn was, if it was.
    pub(super) fn serve(&mut self, number: u32, cost: Tokens, turn: Turn) {
        let unpaid = turn == Turn::Urgent && self.has(Fault::PassNeverRepaid);
        if unpaid {
            return;
        }
        let (tag, weight) = (
            self.tenant(number).account.tag(),
            self.tenant(number).terms.weight,
        );
        let index = self.tenant(number).band.index();
        let (of_band, weight_of_band) = (self.bands[index].account.tag(), self.bands[index].weight);
        self.tenant_mut(number).account.charge(cost, weight);
        self.bands[index].account.charge(cost, weight_of_band);
        if turn == Turn::Urgent {
            self.tenant_mut(number).account.has_passed();
            self.bands[index].account.has_passed();
        }
        self.bands[index].highest = self.bands[index].highest.max(self.tenant(number).account.tag());
        if turn == Turn::Own {
            self.bands[index].time = self.bands[index].time.max(tag);
            self.time = self.time.max(of_band);
            self.tidy(index);
        }
    }

    /// Corrects what they were charged.
    pub(super) fn correct(&mut self, number: u32, expected: Tokens, actual: Tokens) {
        if self.has(Fault::SettlementForgotten) {
            return;
        }
        let (weight, index) = (self.tenant(number).terms.weight, self.tenant(number).band.index());
        let weight_of_band = self.bands[index].weight;
        self.tenant_mut(number).account.correct(expected, actual, weight);
        self.bands[index]
            .account
            .correct(expected, actual, weight_of_band);
        self.bands[index].highest = self.bands[index].highest.max(self.tenant(number).account.tag());
        self.tidy(index);
    }

    /// Where nobody of a band may go, whatever was served no longer counts against anyone. A tenant of which no request
    /// is known is forgotten as soon as virtual time has come to its tag.
    pub(super) fn tidy(&mut self, index: usize) {
        let band = Priority::ALL[index];
        if self.tenants_in_turn(band).is_empty() {
            let own = &mut self.bands[index];
            own.time = own.time.max(own.highest);
        }
        let (time, requests) = (self.bands[index].time, &self.requests);
        let is_known = |tenant: &Tenant| {
            let some = requests.iter().any(|request| request.tenant == tenant.number);
            some || tenant.more || tenant.band != band || tenant.account.tag() > time
        };
        let gone = self.tenants.iter().filter(|tenant| !is_known(tenant));
        let gone: Vec<u32> = gone.map(|tenant| tenant.number).collect();
        self.tenants.retain(|tenant| !gone.contains(&tenant.number));
        self.tenant_numbers.free.extend(gone);
        // Several may go at once: the least number is given out first.
        self.tenant_numbers.free.sort_by_key(|number| Reverse(*number));
    }

    /// The number of a tenant in a band, known or new.
    pub(super) fn tenant_of(&mut self, name: &TenantId, band: Priority) -> u32 {
        let same = |tenant: &&Tenant| tenant.name == *name && tenant.band == band;
        if let Some(known) = self.tenants.iter().find(same) {
            return known.number;
        }
        let number = self.tenant_numbers.take();
        self.tenants.push(Tenant {
            number,
            name: name.clone(),
            band,
            terms: self.config.terms(name),
            account: super::Account::default(),
            has_turns: false,
            more: false,
            asked: false,
            missed: false,
        });
        number
    }
}
