//! The real store, with faults on demand.

use bytes::Bytes;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    BoxFuture, ChangeError, EndReport, PayloadKind, PayloadRef, Payloads, Pending, Store, StoreError, Through,
};
use smoother_core::{Request, RequestId, Settlement};
use smoother_embedded::SqliteStore;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};

/// What a store does wrong, once.
pub(super) enum Fault {
    /// It does nothing, and says so.
    Fails(StoreError),
    /// It does as asked, and says that it failed.
    DoesAndFails(StoreError),
    /// It does as asked, and whoever asked breaks off.
    DoesAndPanics,
}

/// A store that meets the next ends of calls, and the next payloads kept and fetched, with the faults it was given.
pub(super) struct Faults {
    store: Arc<SqliteStore>,
    ends: Mutex<VecDeque<Fault>>,
    changes: Mutex<VecDeque<StoreError>>,
    kept: Mutex<VecDeque<StoreError>>,
    fetched: Mutex<VecDeque<Fault>>,
}

impl Faults {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self {
            store,
            ends: Mutex::default(),
            changes: Mutex::default(),
            kept: Mutex::default(),
            fetched: Mutex::default(),
        }
    }

    pub(super) fn fail_ends(&self, errors: impl IntoIterator<Item = StoreError>) {
        errors
            .into_iter()
            .for_each(|error| self.spoil_end(Fault::Fails(error)));
    }

    pub(super) fn fail_changes(&self, errors: impl IntoIterator<Item = StoreError>) {
        self.changes.lock().unwrap().extend(errors);
    }

    pub(super) fn spoil_end(&self, fault: Fault) {
        self.ends.lock().unwrap().push_back(fault);
    }

    pub(super) fn fail_payloads(&self, errors: impl IntoIterator<Item = StoreError>) {
        self.kept.lock().unwrap().extend(errors);
    }

    pub(super) fn spoil_fetch(&self, fault: Fault) {
        self.fetched.lock().unwrap().push_back(fault);
    }

    /// Whether every fault was met.
    pub(super) fn are_spent(&self) -> bool {
        self.ends.lock().unwrap().is_empty()
            && self.changes.lock().unwrap().is_empty()
            && self.kept.lock().unwrap().is_empty()
            && self.fetched.lock().unwrap().is_empty()
    }
}

fn spoilt<'a, T: Send + 'a>(
    fault: Option<Fault>,
    begin: impl FnOnce() -> BoxFuture<'a, Result<T, StoreError>>,
) -> BoxFuture<'a, Result<T, StoreError>> {
    match fault {
        None => begin(),
        Some(Fault::Fails(error)) => Box::pin(ready(Err(error))),
        Some(Fault::DoesAndFails(error)) => {
            let begun = begin();
            Box::pin(async move {
                begun.await?;
                Err(error)
            })
        }
        Some(Fault::DoesAndPanics) => {
            let begun = begin();
            let breaks_off = |_: T| -> Result<T, StoreError> { panic!("as the test wants it") };
            Box::pin(async move { begun.await.and_then(breaks_off) })
        }
    }
}

impl Through for Faults {
    fn behind(&self) -> &dyn Store {
        self.store.as_ref()
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        match self.changes.lock().unwrap().pop_front() {
            Some(error) => Box::pin(ready(Err(error.into()))),
            None => self.behind().change(id, change),
        }
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        let fault = self.ends.lock().unwrap().pop_front();
        spoilt(fault, || self.behind().end(id, settlement, change, result))
    }
}

impl Payloads for Faults {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        let fault = self.kept.lock().unwrap().pop_front().map(Fault::Fails);
        spoilt(fault, || self.store.keep(id, kind, payload))
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let fault = self.fetched.lock().unwrap().pop_front();
        spoilt(fault, || self.store.fetch(id, kind))
    }
}
