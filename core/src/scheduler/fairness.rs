//! Shares: start-time fair queueing of bands, and of tenants inside a band.
//!
//! Every member has a tag, the virtual time at which what it is served next begins. The least tag goes first;
//! serving `cost` moves a member's tag on by cost / weight. Virtual time is the tag of what was served last,
//! and a member that comes back from idleness starts no earlier than that: idle share is borrowed by the
//! others and not saved up. (P. Goyal, H. Vin, H. Cheng, "Start-time fair queueing", SIGCOMM 1996.)
//!
//! The cost of a call is only expected when it goes. When it is known, the member's account is corrected by the
//! difference (after the virtual token counter of Y. Sheng et al., "Fairness in serving large language models",
//! OSDI 2024; how an overcharge is given back is this module's own, see [`Account`]).

mod standings;

use super::account::{Account, Allowance, Tag};
use super::beyond::Beyond;
use super::bounds::Load;
use super::caps::Elsewhere;
use super::config::Terms;
use super::line::{Line, Place};
use crate::config::PriorityWeights;
use crate::ids::TenantId;
use crate::request::Priority;
use crate::units::{Tokens, TokensPerMinute};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// One tenant in one band.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) tenant: TenantId,
    pub(super) priority: Priority,
    pub(super) terms: Terms,
    pub(super) line: Line,
    /// What waits of it, in line or snoozed.
    pub(super) waiting: Load,
    account: Account,
    /// Its calls that are released or running.
    pub(super) under_way: u32,
    /// Requests that the scheduler knows of, waiting or not.
    pub(super) members: u32,
    /// Partial view: more wait than are known here, and more have been asked for.
    pub(super) more: bool,
    pub(super) asked: bool,
    /// Some were left out after more had been asked for: the answer may have been read before they came.
    pub(super) missed: bool,
    /// About how much waits beyond those.
    pub(super) beyond: Beyond,
}

#[derive(Debug, Default)]
pub(super) struct Band {
    weight: u32,
    account: Account,
    time: Tag,
    /// The highest tag given out: virtual time jumps there when nothing waits, which forgets old service.
    highest: Tag,
    /// Flows of which something may go: one waits, and the tenant has fewer calls under way than it may have.
    ready: BTreeSet<(Tag, u32)>,
    /// Flows without members whose tag is ahead of virtual time.
    idle: BTreeSet<(Tag, u32)>,
    pub(super) by_tenant: HashMap<TenantId, u32>,
    /// What stands in line, that of tenants at their cap too.
    line_weight: u64,
    line_tokens: Tokens,
    line_requests: u64,
}

/// By what right a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was its turn.
    Own,
    /// Its time was nearly up.
    Urgent,
    /// It is small, and delays nobody before it.
    Behind,
}

/// What stands in line in a band.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backlog {
    pub(super) weight: u64,
    pub(super) tokens: Tokens,
    pub(super) requests: u64,
}

/// All bands and their flows.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) bands: [Band; 3],
    time: Tag,
    flows: Vec<Option<Flow>>,
    /// The least is used first: which flow is which does not depend on the order in which others were forgotten.
    vacant: BinaryHeap<Reverse<u32>>,
    /// Calls of tenants with a cap that another holder let go.
    pub(super) elsewhere: Elsewhere,
}

impl Shares {
    pub(super) fn new(weights: &PriorityWeights) -> Self {
        let mut shares = Self {
            bands: Default::default(),
            time: 0,
            flows: Vec::new(),
            vacant: BinaryHeap::new(),
            elsewhere: Elsewhere::default(),
        };
        shares.set_weights(weights);
        shares
    }

    pub(super) fn set_weights(&mut self, weights: &PriorityWeights) {
        for priority in Priority::ALL {
            self.bands[priority.index()].weight = weights.of(priority);
        }
    }

    /// Gives every tenant its share and its cap anew.
    pub(super) fn set_terms(&mut self, terms: impl Fn(&TenantId) -> Terms) {
        for flow in self.flows.iter_mut().flatten() {
            let band = &mut self.bands[flow.priority.index()];
            let new = terms(&flow.tenant);
            if !flow.line.is_empty() {
                band.line_weight = band.line_weight + u64::from(new.weight) - u64::from(flow.terms.weight);
            }
            flow.terms = new;
        }
        for flow in 0..u32::try_from(self.flows.len()).unwrap_or(u32::MAX) {
            self.hold_or_let(flow);
        }
    }

    pub(super) fn flow(&self, flow: u32) -> Option<&Flow> {
        self.flows.get(flow as usize)?.as_ref()
    }

    pub(super) fn flow_mut(&mut self, flow: u32) -> Option<&mut Flow> {
        self.flows.get_mut(flow as usize)?.as_mut()
    }

    /// Partial view: whether more wait in a band than are known here.
    pub(super) fn has_more(&self, priority: Priority) -> bool {
        let mut flows = self.bands[priority.index()].by_tenant.values();
        flows.any(|flow| self.flow(*flow).is_some_and(|flow| flow.more))
    }

    /// The flow of a tenant in a band, if it is known.
    pub(super) fn flow_of(&self, priority: Priority, tenant: &TenantId) -> Option<u32> {
        self.bands[priority.index()].by_tenant.get(tenant).copied()
    }

    /// The flow of a tenant in a band, known or new.
    pub(super) fn intern(&mut self, priority: Priority, tenant: &TenantId, terms: Terms) -> u32 {
        if let Some(flow) = self.bands[priority.index()].by_tenant.get(tenant) {
            return *flow;
        }
        let new = Some(Flow {
            tenant: tenant.clone(),
            priority,
            terms,
            line: Line::default(),
            waiting: Load::default(),
            account: Account::default(),
            under_way: 0,
            members: 0,
            more: false,
            asked: false,
            missed: false,
            beyond: Beyond::default(),
        });
        let index = match self.vacant.pop() {
            Some(Reverse(index)) => {
                self.flows[index as usize] = new;
                index
            }
            None => {
                self.flows.push(new);
                u32::try_from(self.flows.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let band = &mut self.bands[priority.index()];
        band.by_tenant.insert(tenant.clone(), index);
        index
    }

    /// One more request of the flow is known.
    pub(super) fn join(&mut self, flow: u32) {
        if let Some((band, it)) = self.both(flow) {
            band.idle.remove(&(it.account.tag(), flow));
            it.members += 1;
        }
    }

    /// One less. A flow without any is forgotten as soon as its tag is behind virtual time.
    pub(super) fn part(&mut self, flow: u32) {
        if let Some((band, it)) = self.both(flow) {
            it.members = it.members.saturating_sub(1);
            if it.members == 0 && !it.more {
                band.idle.insert((it.account.tag(), flow));
                let index = it.priority.index();
                self.forget(index);
            }
        }
    }

    /// Puts a request in its flow's line.
    pub(super) fn enqueue(&mut self, flow: u32, place: Place, slot: u32, cost: Tokens) {
        let Some((band, it)) = self.both(flow) else { return };
        band.line_tokens += it.line.insert(place, slot, cost);
        band.line_requests += 1;
        if it.line.len() == 1 {
            band.line_weight += u64::from(it.terms.weight);
            self.hold_or_let(flow);
        }
    }

    /// A request in line is expected to cost otherwise; its flow's turns stay as they are.
    pub(super) fn reprice(&mut self, flow: u32, place: Place, slot: u32, cost: Tokens) {
        let Some((band, it)) = self.both(flow) else { return };
        if let Some(old) = it.line.remove(place) {
            band.line_tokens -= old;
            band.line_tokens += it.line.insert(place, slot, cost);
        }
    }

    /// Takes a request out of its flow's line.
    pub(super) fn dequeue(&mut self, flow: u32, place: Place) {
        let Some((band, it)) = self.both(flow) else { return };
        let Some(cost) = it.line.remove(place) else { return };
        band.line_tokens -= cost;
        band.line_requests = band.line_requests.saturating_sub(1);
        if it.line.is_empty() {
            band.line_weight = band.line_weight.saturating_sub(u64::from(it.terms.weight));
            self.hold_or_let(flow);
        }
    }

    /// Gives a flow turns if something of it may go, or takes them away. Whoever had none comes back from idleness: a
    /// share that a cap kept from being used is not saved up either.
    pub(super) fn hold_or_let(&mut self, flow: u32) {
        let time = self.time;
        let may_go = self.flow(flow).is_some_and(|it| !it.line.is_empty()) && !self.is_capped(flow);
        let Some((band, it)) = self.both(flow) else { return };
        let key = (it.account.tag(), flow);
        if may_go && !band.ready.contains(&key) {
            if band.ready.is_empty() {
                band.account.come_back(time);
            }
            it.account.come_back(band.time);
            band.ready.insert((it.account.tag(), flow));
        } else if !may_go && band.ready.remove(&key) {
            let index = it.priority.index();
            self.forget(index);
        }
    }

    /// Charges a flow and its band for a call that goes. Virtual time stays with those that one before its turn
    /// has passed.
    pub(super) fn serve(&mut self, flow: u32, cost: Tokens, turn: Turn) {
        let time = self.time;
        let Some((band, it)) = self.both(flow) else { return };
        let served_at = band.account.tag();
        let index = it.priority.index();
        let ready = band.ready.remove(&(it.account.tag(), flow));
        if turn == Turn::Own {
            band.time = band.time.max(it.account.tag());
        }
        it.account.charge(cost, it.terms.weight);
        band.highest = band.highest.max(it.account.tag());
        if ready {
            band.ready.insert((it.account.tag(), flow));
        }
        band.account.charge(cost, band.weight);
        if turn == Turn::Urgent {
            it.account.has_passed();
            band.account.has_passed();
        }
        if turn == Turn::Own {
            self.time = time.max(served_at);
            self.forget(index);
        }
    }

    /// Whether a request of the flow may go before its turn in a lane of this quota: not if its band or its tenant would
    /// get further ahead than the others can make up for ([`Allowance`]).
    pub(super) fn may_pass(&self, flow: u32, cost: Tokens, quota: TokensPerMinute) -> bool {
        let Some(it) = self.flow(flow) else { return false };
        let band = &self.bands[it.priority.index()];
        let bands: u64 = self.bands.iter().map(|band| u64::from(band.weight)).sum();
        let minute = (Tag::from(quota.get()) << 20) / Tag::from(bands.max(1));
        let tenants = band.line_weight.max(u64::from(it.terms.weight));
        let of_tenant = minute * Tag::from(band.weight) / Tag::from(tenants.max(1));
        band.account
            .may_pass(self.time, cost, band.weight, Allowance::of(minute))
            && it
                .account
                .may_pass(band.time, cost, it.terms.weight, Allowance::of(of_tenant))
    }

    /// Corrects what a flow and its band were charged, once the cost is known.
    pub(super) fn correct(&mut self, flow: u32, expected: Tokens, actual: Tokens) {
        let Some((band, it)) = self.both(flow) else { return };
        let ready = band.ready.remove(&(it.account.tag(), flow));
        let idle = band.idle.remove(&(it.account.tag(), flow));
        it.account.correct(expected, actual, it.terms.weight);
        band.highest = band.highest.max(it.account.tag());
        if ready {
            band.ready.insert((it.account.tag(), flow));
        }
        if idle {
            band.idle.insert((it.account.tag(), flow));
        }
        band.account.correct(expected, actual, band.weight);
        let index = it.priority.index();
        self.forget(index);
    }

    /// The bands in which something may go, in the order of their turns.
    pub(super) fn turns(&self) -> impl Iterator<Item = Priority> + use<> {
        let mut order = Priority::ALL.map(|priority| (self.bands[priority.index()].account.tag(), priority));
        order.sort_unstable();
        let waiting = Priority::ALL.map(|priority| !self.bands[priority.index()].ready.is_empty());
        order
            .into_iter()
            .map(|(_, priority)| priority)
            .filter(move |priority| waiting[priority.index()])
    }

    /// The flows of a band in which something may go, in the order of their turns.
    pub(super) fn flows_in_turn(&self, priority: Priority) -> impl Iterator<Item = u32> + '_ {
        self.bands[priority.index()].ready.iter().map(|(_, flow)| *flow)
    }

    /// Whose turn it is: the slot of the first request of the first flow of the first band.
    pub(super) fn head(&self) -> Option<u32> {
        let band = self.turns().next()?;
        let flow = self.flows_in_turn(band).next()?;
        self.flow(flow)?.line.first()
    }

    pub(super) fn backlog(&self, priority: Priority) -> Backlog {
        let band = &self.bands[priority.index()];
        Backlog {
            weight: band.line_weight,
            tokens: band.line_tokens,
            requests: band.line_requests,
        }
    }

    pub(super) fn band_weight(&self, priority: Priority) -> u64 {
        u64::from(self.bands[priority.index()].weight)
    }

    /// Flows that are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.flows.iter().flatten().count()
    }

    fn both(&mut self, flow: u32) -> Option<(&mut Band, &mut Flow)> {
        let it = self.flows.get_mut(flow as usize)?.as_mut()?;
        Some((&mut self.bands[it.priority.index()], it))
    }

    fn forget(&mut self, band: usize) {
        let band = &mut self.bands[band];
        if band.ready.is_empty() {
            // Nobody waits: whatever was served before no longer counts against anyone.
            band.time = band.time.max(band.highest);
        }
        while let Some(&(tag, flow)) = band.idle.first() {
            if tag > band.time {
                break;
            }
            band.idle.pop_first();
            if let Some(gone) = self.flows[flow as usize].take() {
                band.by_tenant.remove(&gone.tenant);
                self.vacant.push(Reverse(flow));
            }
        }
    }
}
