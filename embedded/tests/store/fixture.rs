//! A store in a directory of its own, and the words to drive it.

use smoother_core::call::{CallEnding, Settlement};
use smoother_core::config::Durability;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, EndReport, Inserted, NewRequest, PayloadRef, Store, StoreError,
};
use smoother_core::request::Fresh;
use smoother_core::{
    CallNo, Door, Estimate, LaneId, ModelHead, ModelId, Operation, Outcome, Request, RequestId, TenantId,
    Timestamp, Tokens,
};
use smoother_embedded::{OpenError, OpenOptions, Opened, SqliteStore};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

pub const START: u64 = 1_790_000_000_000;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct StillClock(pub AtomicU64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::Relaxed) - START)
    }
}

/// `ms` after the beginning of a test.
pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

pub struct Fixture {
    pub store: Arc<SqliteStore>,
    pub opened_at: Timestamp,
    pub fatal: BoxFuture<'static, StoreError>,
    pub clock: Arc<StillClock>,
    pub dir: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn relaxed() -> Self {
        Self::with(|options| options.durability = Durability::Relaxed)
    }

    pub fn with(adjust: impl FnOnce(&mut OpenOptions)) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(StillClock(AtomicU64::new(START)));
        let mut options = OpenOptions::new(dir.path());
        adjust(&mut options);
        let opened = SqliteStore::open(&options, clock.clone()).unwrap();
        Self {
            store: opened.store,
            opened_at: opened.newest,
            fatal: opened.fatal,
            clock,
            dir,
        }
    }

    /// Ends the store without closing it, and opens it again.
    pub fn reopened(self) -> Self {
        let Self {
            store, clock, dir, ..
        } = self;
        drop(store);
        let opened = open(dir.path()).unwrap();
        Self {
            store: opened.store,
            opened_at: opened.newest,
            fatal: opened.fatal,
            clock,
            dir,
        }
    }

    /// A store on a copy of what is on the disk now: what a crash at this moment would leave.
    pub fn crashed(&self) -> Self {
        let dir = TempDir::new().unwrap();
        copy(self.dir.path(), dir.path());
        let opened = open(dir.path()).unwrap();
        Self {
            store: opened.store,
            opened_at: opened.newest,
            fatal: opened.fatal,
            clock: Arc::new(StillClock(AtomicU64::new(START))),
            dir,
        }
    }

    pub async fn insert(&self, request: &Request) -> Result<Inserted, StoreError> {
        self.store.insert(new(request)).await
    }

    pub async fn release(&self, id: RequestId, call: u32) -> Result<Request, ChangeError> {
        self.store.change(id, release(call)).await
    }

    pub async fn claim(&self, id: RequestId, call: u32) -> Result<Request, ChangeError> {
        self.store.change(id, claim(call)).await
    }

    /// Queued, released, claimed and completed with this result.
    pub async fn complete(&self, id: RequestId, call: u32, result: &[u8]) -> EndReport {
        let result = PayloadRef::Inline(result.to_vec().into());
        let change = Some(complete(call));
        self.store
            .end(
                id,
                settlement(call, CallEnding::Completed, 70),
                change,
                Some(result),
            )
            .await
            .unwrap()
    }

    pub async fn get(&self, id: RequestId) -> Request {
        self.store.get(id).await.unwrap().unwrap()
    }
}

pub fn open(dir: &Path) -> Result<Opened, OpenError> {
    let clock = Arc::new(StillClock(AtomicU64::new(START)));
    SqliteStore::open(&OpenOptions::new(dir), clock)
}

/// Copies the database first and its log second, so that the copy has every commit made before it began.
pub fn copy(from: &Path, to: &Path) {
    for name in ["smoother.db", "smoother.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

pub fn lane(name: &str) -> LaneId {
    LaneId::new(name).unwrap()
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn id(n: u64) -> RequestId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    RequestId::fresh(at(n), random)
}

/// Request `n`, which arrived `n` ms after the beginning.
pub fn request(n: u64) -> Request {
    Request::fresh(Fresh {
        id: id(n),
        tenant: tenant("acme"),
        lane: lane("sonnet"),
        model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap(),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at: at(n),
        body_hash: [1; 32],
        body_bytes: 4,
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(100),
            expected_output: Tokens::new(50),
        },
    })
}

pub fn new(request: &Request) -> NewRequest {
    NewRequest {
        request: request.clone(),
        body: PayloadRef::Inline(format!("body of {}", request.id).into()),
    }
}

pub fn release(call: u32) -> Change {
    Change::Release {
        lane: lane("sonnet"),
        call: CallNo::new(call),
        reserve: Tokens::new(110),
        start_by: at(20_000),
        at: at(100),
    }
}

pub fn claim(call: u32) -> Change {
    Change::Claim {
        call: CallNo::new(call),
        at: at(200),
    }
}

pub fn requeue(call: u32) -> Change {
    Change::Requeue {
        call: CallNo::new(call),
        not_before: at(500),
        throttle: None,
        error: None,
        spends_try: true,
    }
}

pub fn complete(call: u32) -> Change {
    Change::Complete {
        call: CallNo::new(call),
        answer: Outcome::Answer {
            head: ModelHead::default(),
            usage: None,
            bytes: 6,
        },
        first_output_at: None,
        at: at(300),
    }
}

pub fn settlement(call: u32, ending: CallEnding, charged: u64) -> Settlement {
    Settlement {
        call: CallNo::new(call),
        ending,
        charged: Tokens::new(charged),
        usage: None,
        throttle: None,
        error: None,
        upstream_request_id: None,
        at: at(300),
    }
}
