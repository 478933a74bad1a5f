//! Fresh adapters, and the words to drive them.

use crate::conformance::words::{claim, complete, release, release_in, settlement};
use smoother_core::call::{CallEnding, Settlement};
use smoother_core::ports::{
    BoxFuture, ChangeError, EndReport, Inserted, NewRequest, Outbox, OutboxEntry, PayloadRef, Payloads,
    Store, StoreError,
};
use smoother_core::{Call, Change, Request, RequestId};
use std::sync::Arc;

/// The three durable ports of one set of adapters.
#[derive(Clone)]
pub struct Ports {
    /// Requests and calls.
    pub store: Arc<dyn Store>,
    /// Bodies and results.
    pub payloads: Arc<dyn Payloads>,
    /// Terminal states.
    pub outbox: Arc<dyn Outbox>,
}

/// How a process ends before the next one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// In good order: everything begun is durable.
    Clean,
    /// At once: only what was acknowledged is sure to be there.
    Crash,
}

/// A set of durable adapters under test.
pub trait Stand: Send + Sync {
    /// The ports of the process that runs now.
    fn ports(&self) -> Ports;

    /// Ends the process and starts another on what it left. Nobody holds its ports any more.
    fn restart(self: Box<Self>, how: Restart) -> BoxFuture<'static, Box<dyn Stand>>;

    /// Whether the outbox tells ends in the order in which they were acknowledged.
    fn tells_in_order(&self) -> bool {
        true
    }

    /// Whether a process is alone with the store, and takes up after a restart what it finds there.
    fn recovers(&self) -> bool {
        true
    }
}

/// A stand and its ports.
pub struct Bed {
    stand: Box<dyn Stand>,
    /// Requests and calls.
    pub store: Arc<dyn Store>,
    /// Bodies and results.
    pub payloads: Arc<dyn Payloads>,
    /// Terminal states.
    pub outbox: Arc<dyn Outbox>,
}

impl Bed {
    /// On a fresh stand.
    pub fn new(stand: Box<dyn Stand>) -> Self {
        let Ports {
            store,
            payloads,
            outbox,
        } = stand.ports();
        Self {
            stand,
            store,
            payloads,
            outbox,
        }
    }

    pub(super) async fn restarted(self, how: Restart) -> Self {
        let Self {
            stand,
            store,
            payloads,
            outbox,
        } = self;
        drop((store, payloads, outbox));
        Self::new(stand.restart(how).await)
    }

    pub(super) fn tells_in_order(&self) -> bool {
        self.stand.tells_in_order()
    }

    pub(super) fn recovers(&self) -> bool {
        self.stand.recovers()
    }

    pub(super) async fn insert(&self, request: &Request) -> Result<Inserted, StoreError> {
        self.store.insert(new(request)).await
    }

    pub(super) async fn change(&self, id: RequestId, change: Change) -> Result<Request, ChangeError> {
        self.store.change(id, change).await
    }

    pub(super) async fn release(&self, id: RequestId, call: u32) -> Result<Request, ChangeError> {
        self.change(id, release(call)).await
    }

    pub(super) async fn claim(&self, id: RequestId, call: u32) -> Result<Request, ChangeError> {
        self.change(id, claim(call)).await
    }

    /// Inserted, released and claimed: RUNNING as call 1.
    pub(super) async fn running(&self, request: &Request) -> Request {
        assert!(matches!(self.insert(request).await.unwrap(), Inserted::Fresh));
        let release = release_in(request.lane.as_str(), 1);
        self.change(request.id, release).await.unwrap();
        self.claim(request.id, 1).await.unwrap()
    }

    pub(super) async fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<&str>,
    ) -> EndReport {
        let result = result.map(|text| PayloadRef::Inline(text.to_owned().into()));
        self.store.end(id, settlement, change, result).await.unwrap()
    }

    /// The running call's end with this answer; it has cost 70 tokens.
    pub(super) async fn complete(&self, id: RequestId, call: u32, result: &str) -> EndReport {
        let settlement = settlement(call, CallEnding::Completed, 70);
        self.end(id, settlement, Some(complete(call)), Some(result)).await
    }

    pub(super) async fn get(&self, id: RequestId) -> Request {
        self.store.get(id).await.unwrap().expect("the row is there")
    }

    pub(super) async fn calls(&self, id: RequestId) -> Vec<Call> {
        self.store.calls(id).await.unwrap()
    }

    /// What the outbox still has to tell; there must be `count` entries.
    pub(super) async fn untold(&self, count: usize) -> Vec<OutboxEntry> {
        let (mut after, mut found) = (0, Vec::new());
        while found.len() < count {
            let entries = self.outbox.next(after, 500).await.unwrap();
            after = entries.last().expect("next waits for an entry").seq;
            found.extend(entries);
        }
        assert_eq!(found.len(), count, "more ends than there should be");
        found
    }
}

/// The request with a small body that names it.
pub(super) fn new(request: &Request) -> NewRequest {
    NewRequest {
        request: request.clone(),
        body: PayloadRef::Inline(body_of(request.id).into()),
    }
}

pub(super) fn body_of(id: RequestId) -> String {
    format!("body of {id}")
}
