//! A store in memory that does one thing wrong.

use bytes::Bytes;
use smoother_core::call::{Call, CallEnding, Settlement};
use smoother_core::ports::{
    BoxFuture, ChangeError, EndReport, Inserted, ListFilter, ListPage, NewRequest, Outbox, OutboxEntry,
    PayloadKind, PayloadRef, Payloads, Pending, Recovered, Store, StoreError, Through,
};
use smoother_core::{Change, LaneId, Request, RequestId, State, Timestamp};
use smoother_tests::conformance::store::{Ports, Restart, Stand};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// One thing that a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    SettlesTwice,
    ForgetsTheOutbox,
    TellsOnceOnly,
    IgnoresTheFence,
    ServesAnotherTenant,
    SkipsARowBetweenPages,
    TakesAnyCursor,
    AnswersBeforeItIsDurable,
    JoinsAnotherBody,
    LosesARelease,
    ForgetsItsCalls,
    BeginsWhenAwaited,
    ListsTheLivingAsDead,
    CutsLargePayloads,
    ServesTheBodyForTheResult,
}

/// A store in memory with a fault.
#[derive(Clone)]
struct Broken {
    store: Arc<dyn Store>,
    payloads: Arc<dyn Payloads>,
    outbox: Arc<dyn Outbox>,
    fault: Fault,
    settled: Arc<Mutex<HashMap<RequestId, Settlement>>>,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl Through for Broken {
    fn behind(&self) -> &dyn Store {
        self.store.as_ref()
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        if self.is(Fault::AnswersBeforeItIsDurable) {
            drop(self.store.insert(new));
            return Box::pin(async { Ok(Inserted::Fresh) });
        }
        if self.is(Fault::BeginsWhenAwaited) {
            let store = self.store.clone();
            return Box::pin(async move { store.insert(new).await });
        }
        let (offered, joins) = (new.request.clone(), self.is(Fault::JoinsAnotherBody));
        let inserted = self.store.insert(new);
        Box::pin(async move {
            match inserted.await? {
                Inserted::Conflict if joins => Ok(Inserted::Same(Box::new(offered))),
                other => Ok(other),
            }
        })
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        let (store, ignores) = (self.store.clone(), self.is(Fault::IgnoresTheFence));
        let changed = self.store.change(id, change.clone());
        Box::pin(async move {
            match changed.await {
                Err(ChangeError::Refused(_)) if ignores && matches!(change, Change::Claim { .. }) => {
                    Ok(store.get(id).await?.expect("it was refused, so it is there"))
                }
                other => other,
            }
        })
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        self.settled.lock().unwrap().insert(id, settlement.clone());
        self.store.end(id, settlement, change, result)
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Box::pin(async move {
            let mut calls = self.store.calls(id).await?;
            if let (true, Some(last)) = (
                self.is(Fault::SettlesTwice),
                self.settled.lock().unwrap().get(&id),
            ) {
                for call in calls.iter_mut().filter(|call| call.number == last.call) {
                    call.settlement = Some(last.clone());
                }
            }
            Ok(calls)
        })
    }

    fn list(
        &self,
        mut filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        if self.is(Fault::ServesAnotherTenant) {
            filter.tenant = None;
        }
        if self.is(Fault::ListsTheLivingAsDead) {
            filter.dead = false;
        }
        Box::pin(async move {
            let took_any = self.is(Fault::TakesAnyCursor);
            match self.store.list(filter.clone(), cursor, limit).await {
                Ok(mut page) => {
                    if self.is(Fault::SkipsARowBetweenPages) && page.next.is_some() && limit > 1 {
                        page.requests.pop();
                    }
                    Ok(page)
                }
                Err(_) if took_any => self.store.list(filter, None, limit).await,
                Err(error) => Err(error),
            }
        })
    }

    fn recover(
        &self,
        lane: &LaneId,
        charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        let found = self.store.recover(lane, charged_since);
        Box::pin(async move {
            let mut found = found.await?;
            if self.is(Fault::LosesARelease) {
                found.waiting.retain(|row| row.released_at.is_none());
            }
            if self.is(Fault::ForgetsItsCalls) {
                found.calls.retain(|call| {
                    call.settlement
                        .as_ref()
                        .is_some_and(|s| s.ending != CallEnding::Indeterminate)
                });
            }
            Ok(found)
        })
    }
}

/// Above this a payload is cut.
const CUT: usize = 64 * 1024;

impl Payloads for Broken {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        self.payloads.keep(id, kind, payload)
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let mut found = self.payloads.fetch(id, kind).await?;
            if self.is(Fault::CutsLargePayloads) {
                found = found.map(|payload| payload.slice(..payload.len().min(CUT)));
            }
            if self.is(Fault::ServesTheBodyForTheResult) && found.is_none() {
                found = self.payloads.fetch(id, PayloadKind::Body).await?;
            }
            Ok(found)
        })
    }
}

impl Outbox for Broken {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(async move {
            let mut after = after;
            loop {
                let mut entries = self.outbox.next(after, limit).await?;
                after = entries.last().map_or(after, |entry| entry.seq);
                if self.is(Fault::ForgetsTheOutbox) {
                    entries.retain(|entry| entry.request.state != State::Expired);
                }
                if self.is(Fault::TellsOnceOnly) {
                    self.outbox.told(after).await?;
                }
                if !entries.is_empty() {
                    return Ok(entries);
                }
            }
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        self.outbox.told(seq)
    }
}

pub(super) struct BrokenStand {
    pub(super) stand: Box<dyn Stand>,
    pub(super) fault: Fault,
    pub(super) settled: Arc<Mutex<HashMap<RequestId, Settlement>>>,
}

impl Stand for BrokenStand {
    fn ports(&self) -> Ports {
        let Ports {
            store,
            payloads,
            outbox,
        } = self.stand.ports();
        let broken = Arc::new(Broken {
            store,
            payloads,
            outbox,
            fault: self.fault,
            settled: self.settled.clone(),
        });
        Ports {
            store: broken.clone(),
            payloads: broken.clone(),
            outbox: broken,
        }
    }

    fn restart(self: Box<Self>, how: Restart) -> BoxFuture<'static, Box<dyn Stand>> {
        let Self {
            stand,
            fault,
            settled,
        } = *self;
        Box::pin(async move {
            let stand = stand.restart(how).await;
            Box::new(Self {
                stand,
                fault,
                settled,
            }) as Box<dyn Stand>
        })
    }
}
