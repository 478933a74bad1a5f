//! What the scheduler does, written down as plainly as it can be: this is its definition, and the fast one is held to
//! it command by command ([`histories`]).
//!
//! One list of requests and one of tenants; whatever can be worked out is worked out anew each time, by looking at all
//! of them. How much the quota allows, whether the breaker lets calls through, what retries may spend and how a tag
//! moves are taken from the modules that say so; who goes when is said here.
//!
//! Where two would come at the same time, numbers decide: each request and each tenant of a band has one. A number that
//! is given back is used again: of requests the last one first, of tenants the least.
//!
//! It can be broken on purpose, too ([`Fault`]): whatever holds the scheduler to its promises has to find each fault.

mod both;
mod calls;
mod door;
mod events;
mod faults;
mod going;
mod histories;
mod turns;
mod waiting;

pub(crate) use faults::Fault;
pub(crate) use histories::differ;

use super::super::account::{Account, Tag};
use super::super::budget::RetryBudget;
use super::super::config::Terms;
use super::super::span::CallSpan;
use super::super::{Command, SchedulerConfig, Waiting};
use crate::breaker::Breaker;
use crate::ids::{CallNo, RequestId, TenantId};
use crate::ledger::{CallKey, Ledger, Margins, PacingMemory};
use crate::request::Priority;
use crate::units::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    InLine,
    Snoozed,
    Released,
    Running,
}

/// A request, or a call whose request is somewhere else by now.
#[derive(Debug, Clone)]
pub(super) struct Request {
    number: u32,
    of: Waiting,
    /// The number of its tenant in its band.
    tenant: u32,
    state: State,
    /// Only its call goes on here.
    is_elsewhere: bool,
    call: CallNo,
    returned: bool,
    retries: bool,
    wants_alone: bool,
    went_alone: bool,
    refused_alone: u8,
    drags: bool,
    urgent: bool,
    not_before: Timestamp,
    expires: Timestamp,
    /// When it is looked at whatever happens.
    look_at: Timestamp,
}

/// A tenant in a band.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    number: u32,
    name: TenantId,
    band: Priority,
    terms: Terms,
    account: Account,
    has_turns: bool,
    /// Partial view: more wait than are known, and more were asked for.
    more: bool,
    asked: bool,
    /// Some were left out since.
    missed: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Band {
    weight: u32,
    account: Account,
    time: Tag,
    /// The highest tag a tenant of it had.
    highest: Tag,
}

/// Numbers that are used again, the last one given back first.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    next: u32,
    free: Vec<u32>,
}

impl Numbers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// The plain scheduler.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    config: SchedulerConfig,
    ledger: Ledger,
    breaker: Breaker,
    budget: RetryBudget,
    span: CallSpan,
    requests: Vec<Request>,
    tenants: Vec<Tenant>,
    bands: [Band; 3],
    /// Virtual time of the bands.
    time: Tag,
    request_numbers: Numbers,
    tenant_numbers: Numbers,
    /// Whom the last step left waiting at the head, and until when.
    blocked: Option<(RequestId, Timestamp)>,
    blocked_until: Option<Timestamp>,
    /// Who was let in at the door and has not come, and until when that counts.
    held: Vec<(Waiting, Timestamp)>,
    now: Timestamp,
    fault: Option<Fault>,
}

impl Reference {
    pub(crate) fn new(config: SchedulerConfig, now: Timestamp) -> Self {
        let mut bands: [Band; 3] = Default::default();
        for priority in Priority::ALL {
            bands[priority.index()].weight = config.priorities.of(priority);
        }
        Self {
            ledger: Ledger::new(&config.lane, Margins::default(), now),
            breaker: Breaker::new(config.lane.breaker),
            budget: RetryBudget::new(now),
            span: CallSpan::new(config.handing.first_span),
            requests: Vec::new(),
            tenants: Vec::new(),
            bands,
            time: 0,
            request_numbers: Numbers::default(),
            tenant_numbers: Numbers::default(),
            blocked: None,
            blocked_until: None,
            held: Vec::new(),
            now,
            config,
            fault: None,
        }
    }

    /// One with a fault.
    pub(crate) fn broken(config: SchedulerConfig, now: Timestamp, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::new(config, now)
        }
    }

    /// Takes up what an earlier process learned of the quota.
    fn remember(&mut self, now: Timestamp, pacing: &PacingMemory) {
        self.ledger.remember(now, pacing);
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn reconfigure(&mut self, now: Timestamp, config: SchedulerConfig) {
        self.now = self.now.max(now);
        self.ledger.reconfigure(&config.lane, self.now);
        self.breaker.reconfigure(config.lane.breaker);
        for priority in Priority::ALL {
            self.bands[priority.index()].weight = config.priorities.of(priority);
        }
        for tenant in &mut self.tenants {
            tenant.terms = config.terms(&tenant.name);
        }
        let handing = self.config.handing;
        self.config = SchedulerConfig { handing, ..config };
        let mut all: Vec<u32> = self.tenants.iter().map(|tenant| tenant.number).collect();
        all.sort_unstable();
        for number in all {
            // Whoever loses turns may leave others to be forgotten.
            if self.tenants.iter().any(|tenant| tenant.number == number) {
                self.give_turns(number);
            }
        }
    }

    fn request(&self, number: u32) -> &Request {
        let found = self.requests.iter().find(|request| request.number == number);
        found.unwrap()
    }

    fn request_mut(&mut self, number: u32) -> &mut Request {
        let mut all = self.requests.iter_mut();
        all.find(|request| request.number == number).unwrap()
    }

    fn tenant(&self, number: u32) -> &Tenant {
        let mut all = self.tenants.iter();
        all.find(|tenant| tenant.number == number).unwrap()
    }

    fn tenant_mut(&mut self, number: u32) -> &mut Tenant {
        let mut all = self.tenants.iter_mut();
        all.find(|tenant| tenant.number == number).unwrap()
    }

    /// The request of this id that is at home here.
    fn last_call_of(&self, id: RequestId) -> Option<CallNo> {
        self.find(id).map(|number| self.request(number).call)
    }

    fn find(&self, id: RequestId) -> Option<u32> {
        let mut here = self.requests.iter().filter(|request| !request.is_elsewhere);
        here.find(|request| request.of.id == id)
            .map(|request| request.number)
    }

    /// The call of this key whose request is somewhere else.
    fn find_elsewhere(&self, key: CallKey) -> Option<u32> {
        let mut calls = self.requests.iter().filter(|request| request.is_elsewhere);
        calls
            .find(|request| request.key() == key)
            .map(|request| request.number)
    }

    fn look_at(&mut self, number: u32, at: Timestamp) {
        self.request_mut(number).look_at = at;
    }

    /// Releases of which nothing has been heard.
    fn unclaimed(&self) -> u64 {
        let all = self.requests.iter();
        all.filter(|request| request.state == State::Released).count() as u64
    }

    fn wake(&self) -> Option<Command> {
        let looks = self.requests.iter().map(|request| request.look_at);
        let next = looks.chain(self.blocked_until).min()?;
        let soon = self.now + crate::units::Millis::new(1);
        (next != Timestamp::NEVER).then(|| Command::WakeAt(next.max(soon)))
    }
}

impl Request {
    fn key(&self) -> CallKey {
        (self.of.id, self.call)
    }

    fn waits(&self) -> bool {
        matches!(self.state, State::InLine | State::Snoozed)
    }

    /// Its deadline, or what is taken for one.
    fn due(&self) -> Timestamp {
        let soft = self.of.arrived_at + self.of.priority.soft_deadline();
        self.of.deadline.unwrap_or(soft)
    }
}
