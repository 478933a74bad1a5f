//! `Hold`: the lease, the fence, what waits, and what the next holder finds.

pub mod leases;
pub mod ledgers;
pub mod recovery;
pub mod waiting;

use super::Case;
use super::words::{at, lane};
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{Hold, NewRequest, PayloadRef, Store};
use smoother_core::{LaneId, Request};
use std::sync::Arc;
use std::time::Duration;

/// Every list of cases, by name.
pub const ALL: [(&str, &[Case<Stand>]); 4] = [
    ("leases", leases::CASES),
    ("ledgers", ledgers::CASES),
    ("waiting", waiting::CASES),
    ("recovery", recovery::CASES),
];

/// A store, and what holders keep beside it, on fresh ground. Requests of lane `sonnet` cost 1 a token of output.
#[derive(Clone)]
pub struct Stand {
    /// Leases, ledgers, and what waits.
    pub hold: Arc<dyn Hold>,
    /// Where what waits is stored.
    pub store: Arc<dyn Store>,
    /// The same store, as another process has it.
    pub other: Arc<dyn Store>,
    /// The longest that an index may take to show what was stored, in the runtime's time.
    pub lag: Duration,
}

fn sonnet() -> LaneId {
    lane("sonnet")
}

impl Stand {
    /// The lease as `owner` takes it at `ms`, over what is there.
    async fn take(&self, owner: &str, ms: u64) -> Lease {
        let found = self.hold.lease(&sonnet()).await.unwrap();
        let lease = Lease::taken(owner, at(ms), found.as_ref());
        assert!(self.hold.take(&sonnet(), lease.clone(), found).await.unwrap());
        lease
    }

    /// Taken and fenced.
    async fn held(&self, owner: &str, ms: u64) -> Epoch {
        let epoch = self.take(owner, ms).await.epoch;
        self.hold.load(&sonnet(), epoch).await.unwrap();
        epoch
    }

    async fn insert(&self, request: &Request) {
        let body = PayloadRef::Inline("{}".into());
        let request = request.clone();
        self.store.insert(NewRequest { request, body }).await.unwrap();
    }

    /// Looks until the index shows what is wanted, no longer than it may take.
    async fn until<T, F: Future<Output = Option<T>>>(&self, look: impl Fn() -> F) -> T {
        let began = tokio::time::Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(began.elapsed() <= self.lag, "the index never shows it");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
