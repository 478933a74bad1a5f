//! What was promised, held against what became durable and what went upstream, step by step.

use super::promises::Promises;
use super::quota::Ledger;
use super::rules;
use super::turns::Turns;
use super::upstream::max_tokens;
use super::weather::Weather;
use smoother_core::call::Settlement;
use smoother_core::config::Config;
use smoother_core::{Call, CallNo, LaneId, ModelCall, Request, RequestId, Rev, State, Timestamp, Tokens};
use smoother_tests::memory::{Entry, World};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When every run begins.
pub const BEGINNING: u64 = 1_790_000_000_000;

/// Sees everything of one run. Clones share it.
#[derive(Clone)]
pub struct Judge(Arc<Mutex<Book>>);

/// What has happened so far.
pub struct Book {
    world: World,
    pub config: Config,
    /// On a full disk an end is stored later than its lane is told of it, and a failed write of an end may be
    /// followed by writes that are made; the upstream's limiter is the judge then.
    ends_wait: bool,
    /// Lanes hear of arrivals in their order and soon, and what they let go has gone.
    in_order: bool,
    pub turns: Turns,
    pub rows: BTreeMap<RequestId, Request>,
    pub calls: BTreeMap<(RequestId, CallNo), Call>,
    pub sent: BTreeSet<(RequestId, CallNo)>,
    /// Terminal states, each with the version of its row.
    pub ends: BTreeSet<(RequestId, Rev)>,
    pub told: BTreeSet<(RequestId, Rev)>,
    /// Calls whose answers were cut short by less than their callers allow.
    pub cut: BTreeSet<(RequestId, CallNo)>,
    pub promises: Promises,
    pub ledger: Ledger,
    pub open: usize,
    pub faults: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
    events: Vec<String>,
    hash: DefaultHasher,
}

impl Judge {
    pub fn new(world: &World, config: &Config, weather: &Weather) -> Self {
        let fails = weather.full_disk + weather.failed_write > 0;
        Self(Arc::new(Mutex::new(Book {
            world: world.clone(),
            config: config.clone(),
            ends_wait: fails,
            in_order: weather.one_machine && !fails,
            turns: Turns::default(),
            rows: BTreeMap::new(),
            calls: BTreeMap::new(),
            sent: BTreeSet::new(),
            ends: BTreeSet::new(),
            told: BTreeSet::new(),
            cut: BTreeSet::new(),
            promises: Promises::default(),
            ledger: Ledger::default(),
            open: 0,
            faults: Vec::new(),
            counts: BTreeMap::new(),
            events: Vec::new(),
            hash: DefaultHasher::new(),
        })))
    }

    /// The book, with everything in it that is durable by now.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in book.world.journal() {
            book.enter(entry);
        }
        book
    }

    pub fn note(&self, kind: &'static str, what: impl Into<String>) {
        self.book().note(kind, &what.into());
    }

    /// A call goes upstream: once for its number, and after its claim is durable.
    pub fn sent(&self, call: &ModelCall) {
        let mut book = self.book();
        let (id, number) = (call.request, call.number);
        let reserved = book
            .calls
            .get(&(id, number))
            .map_or(Tokens::ZERO, |call| call.reserved);
        book.note(
            "sent",
            &format!("{} call {number} in {} for {reserved}", short(id), call.lane),
        );
        if !book.sent.insert((id, number)) {
            book.fault(format!("G4: call {number} of {id} went upstream twice"));
        }
        match book.calls.get(&(id, number)) {
            None => book.fault(format!(
                "G4: call {number} of {id} went upstream before its claim was durable"
            )),
            Some(known) if known.lane != call.lane => {
                book.fault(format!("G4: call {number} of {id} went upstream in another lane"));
            }
            Some(known) => {
                let (asks, reserved) = (max_tokens(&call.body), known.reserved);
                if asks > reserved.get() {
                    book.fault(format!(
                        "G5: call {number} of {id} allows {asks} tokens of output, and {reserved} were reserved"
                    ));
                }
                book.arrives(call);
            }
        }
    }

    /// What the lane reserved for a call, if it was claimed.
    pub fn reserved(&self, call: &ModelCall) -> Option<u64> {
        let book = self.book();
        let claimed = book.calls.get(&(call.request, call.number));
        claimed.map(|call| call.reserved.get())
    }

    /// An answer of this call ends early because less was allowed than its caller does.
    pub fn cut_short(&self, call: &ModelCall) {
        let mut book = self.book();
        book.note(
            "cut",
            &format!("{} call {} short", short(call.request), call.number),
        );
        book.cut.insert((call.request, call.number));
    }

    /// A terminal state was told out of the outbox.
    pub fn told(&self, row: &Request) {
        let mut book = self.book();
        book.note("told", &format!("{} {}", short(row.id), row.state));
        if !book.ends.contains(&(row.id, row.rev)) {
            book.fault(format!("G3: {} was told as {} before it was", row.id, row.state));
        }
        book.told.insert((row.id, row.rev));
    }
}

impl Book {
    pub fn fault(&mut self, what: String) {
        self.note("FAULT", &what);
        self.faults.push(what);
    }

    pub fn note(&mut self, kind: &'static str, what: &str) {
        let at = self.now().as_millis() - BEGINNING;
        *self.counts.entry(kind).or_insert(0) += 1;
        let line = format!("{at:>8} {kind:<9} {what}");
        line.hash(&mut self.hash);
        self.events.push(line);
    }

    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// Everything that happened.
    pub fn events(&self) -> Vec<String> {
        self.events.clone()
    }

    fn enter(&mut self, entry: Entry) {
        match entry {
            Entry::Row(row) => self.row(*row),
            Entry::Began(call) => self.began(&call),
            Entry::Settled(id, settlement) => self.settled(id, &settlement),
        }
    }

    fn row(&mut self, row: Request) {
        let known = self.rows.get(&row.id);
        let what = format!(
            "{} {} rev {} call {} in {}",
            short(row.id),
            row.state,
            row.rev.get(),
            row.call,
            row.lane
        );
        let faults = rules::step(known, &row);
        let crowded = (known.is_none() && self.in_order)
            .then(|| self.bounds(&row))
            .flatten();
        let was_open = known.is_some_and(|known| !known.state.is_terminal());
        self.note("row", &what);
        for fault in faults {
            self.fault(format!("G2: {}: {fault}", row.id));
        }
        let shed = self.sheds(self.rows.get(&row.id).cloned().as_ref(), &row);
        crowded
            .into_iter()
            .chain(shed)
            .for_each(|fault| self.fault(fault));
        if row.state == State::Completed && self.cut.contains(&(row.id, row.call)) {
            self.fault(format!(
                "G3: {} was completed with an answer that was cut short",
                row.id
            ));
        }
        if self.promises.lost_its_job(&row) {
            self.fault(format!("G2: the job {} was cancelled by nobody", row.id));
        }
        if self.in_order {
            self.turns(&row);
        }
        let is_open = !row.state.is_terminal();
        self.open = self.open + usize::from(is_open) - usize::from(was_open);
        let was_over = known_end(self.rows.get(&row.id));
        if !is_open && !was_over {
            self.ends.insert((row.id, row.rev));
        }
        self.rows.insert(row.id, row);
    }

    fn began(&mut self, call: &Call) {
        let (id, number) = (call.request, call.number);
        let row = self.rows.get(&id);
        let faults = rules::claim(row, call, self.calls.contains_key(&(id, number)));
        for fault in faults {
            self.fault(format!("G4: {id}: {fault}"));
        }
        self.calls.insert((id, number), call.clone());
        if !self.ends_wait {
            let config = self.config.clone();
            self.quota(&config, call);
        }
    }

    fn settled(&mut self, id: RequestId, settlement: &Settlement) {
        let number = settlement.call;
        self.note(
            "settled",
            &format!(
                "{} call {number} {:?} for {}",
                short(id),
                settlement.ending,
                settlement.charged
            ),
        );
        let twice = match self.calls.get_mut(&(id, number)) {
            None => return self.fault(format!("G5: call {number} of {id} was settled, which never was")),
            Some(call) => call.settlement.replace(settlement.clone()).is_some(),
        };
        if twice {
            self.fault(format!("G5: call {number} of {id} was settled twice"));
        }
    }

    /// Whether a call has something to settle and is not settled. One that was claimed in vain, its worker told that
    /// the write had failed, cost nothing; of a request that is over, the next start closes it.
    pub fn is_unsettled(&self, call: &Call) -> bool {
        let in_vain = || {
            let over = self
                .rows
                .get(&call.request)
                .is_some_and(|row| row.state.is_terminal());
            over && !self.sent.contains(&(call.request, call.number))
        };
        call.settlement.is_none() && !in_vain()
    }

    /// Whether a call was claimed in vain: its lane takes it to be under way until it is written off.
    pub fn has_ghosts(&self) -> bool {
        let unsettled = |call: &&Call| call.settlement.is_none();
        self.calls
            .values()
            .filter(unsettled)
            .any(|call| !self.is_unsettled(call))
    }

    pub fn burndown_in(&self, lane: &LaneId) -> u64 {
        self.config.lanes.get(lane).map_or(1, |lane| lane.output_burndown)
    }

    /// Calls that were begun in a lane, by their start.
    pub fn calls_in<'a>(&'a self, lane: &'a LaneId) -> impl Iterator<Item = &'a Call> {
        self.calls.values().filter(move |call| call.lane == *lane)
    }
}

fn known_end(row: Option<&Request>) -> bool {
    row.is_some_and(|row| row.state.is_terminal())
}

/// The end of an id, where those of one run differ.
pub fn short(id: RequestId) -> String {
    let text = id.to_string();
    text[text.len() - 8..].to_owned()
}
