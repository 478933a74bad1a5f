//! Who knows every call, when it really started and what it really cost; and what no run may show.

use smoother_core::{CallNo, LaneId, RequestId};
use smoother_tests::memory::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One call: its request and its number.
pub type Key = (RequestId, CallNo);

/// An exact limiter, written the plain way: it remembers every charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The last 60 s.
    Sliding,
    /// Minutes by the wall clock.
    Fixed,
}

#[derive(Debug)]
struct Limiter {
    kind: Kind,
    quota: u64,
    charges: BTreeMap<Key, (u64, u64)>,
}

impl Limiter {
    fn new(kind: Kind, quota: u64) -> Self {
        Self {
            kind,
            quota,
            charges: BTreeMap::new(),
        }
    }

    /// Charges a call; how much too much that is.
    fn charge(&mut self, now: u64, key: Key, amount: u64) -> u64 {
        let kind = self.kind;
        let counts = |at: u64| match kind {
            Kind::Sliding => at + 60_000 > now,
            Kind::Fixed => at / 60_000 == now / 60_000,
        };
        self.charges.insert(key, (now, amount));
        let counted = self.charges.values().filter(|(at, _)| counts(*at));
        let used: u64 = counted.map(|(_, amount)| amount).sum();
        used.saturating_sub(self.quota)
    }

    fn settle(&mut self, key: Key, actual: u64) {
        if let Some((_, amount)) = self.charges.get_mut(&key) {
            *amount = actual;
        }
    }
}

/// What a run has shown.
#[derive(Debug)]
pub struct Book {
    world: World,
    tokens: Vec<Limiter>,
    requests: Vec<Limiter>,
    most_at_once: usize,
    made: BTreeSet<Key>,
    running: BTreeSet<Key>,
    pub faults: Vec<String>,
    pub events: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
}

/// The judge. Clones are the same.
#[derive(Debug, Clone)]
pub struct Judge(Arc<Mutex<Book>>);

const KINDS: [Kind; 2] = [Kind::Sliding, Kind::Fixed];

impl Judge {
    pub fn new(world: &World, tokens: u64, requests: Option<u64>, most_at_once: u32) -> Self {
        let limiters = |quota: u64| KINDS.map(|kind| Limiter::new(kind, quota)).into();
        Self(Arc::new(Mutex::new(Book {
            world: world.clone(),
            tokens: limiters(tokens),
            requests: requests.map_or_else(Vec::new, limiters),
            most_at_once: most_at_once as usize,
            made: BTreeSet::new(),
            running: BTreeSet::new(),
            faults: Vec::new(),
            events: Vec::new(),
            counts: BTreeMap::new(),
        })))
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call goes upstream now.
    pub fn starts(&self, key: Key, reserved: u64) {
        let mut book = self.book();
        let now = book.world.now().as_millis();
        book.note("call", &format!("{} {} starts: {reserved}", short(key.0), key.1));
        if !book.made.insert(key) {
            book.fault(format!(
                "twice: call {} of {} was made before",
                key.1,
                short(key.0)
            ));
        }
        book.running.insert(key);
        let (running, most) = (book.running.len(), book.most_at_once);
        if running > most {
            book.fault(format!("quota: {running} calls at once, and {most} are allowed"));
        }
        let book = &mut *book;
        let mut over = Vec::new();
        for (limiters, amount, what) in [
            (&mut book.tokens, reserved, "tokens"),
            (&mut book.requests, 1, "requests"),
        ] {
            for limiter in limiters {
                let excess = limiter.charge(now, key, amount);
                if excess > 0 {
                    over.push(format!("{:?}: {excess} {what} too much", limiter.kind));
                }
            }
        }
        for excess in over {
            book.fault(format!("quota: call {} of {}: {excess}", key.1, short(key.0)));
        }
    }

    /// A call is over upstream; what it has cost, where that is known.
    pub fn ends(&self, key: Key, cost: Option<u64>) {
        let mut book = self.book();
        book.note("end", &format!("{} {} ends: {cost:?}", short(key.0), key.1));
        book.running.remove(&key);
        if let Some(cost) = cost {
            for limiter in &mut book.tokens {
                limiter.settle(key, cost);
            }
        }
    }

    pub fn note(&self, what: &'static str, text: &str) {
        self.book().note(what, text);
    }

    pub fn fault(&self, text: String) {
        self.book().fault(text);
    }
}

impl Book {
    fn note(&mut self, what: &'static str, text: &str) {
        *self.counts.entry(what).or_insert(0) += 1;
        let at = self.world.now().as_millis() % 10_000_000;
        self.events.push(format!("{at:>7} {what:<8} {text}"));
    }

    fn fault(&mut self, text: String) {
        self.note("FAULT", &text);
        self.faults.push(text);
    }
}

/// Enough of an id to tell requests of one run apart.
pub fn short(id: RequestId) -> String {
    let text = id.to_string();
    text[text.len() - 4..].to_owned()
}

/// The lane of every run.
pub fn lane() -> LaneId {
    LaneId::new("sonnet").expect("a lane's name")
}
