use bytes::Bytes;
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, EndReport, Inserted, LaneMemory, ListFilter, ListPage, NewRequest,
    PayloadKind, PayloadRef, Payloads, Pending, Recovered, Store, StoreError,
};
use smoother_core::{Call, Change, LaneId, Request, RequestId, Settlement, Timestamp, lifecycle};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows and payloads in memory; every change goes through the lifecycle.
#[derive(Default)]
pub(crate) struct Memory {
    rows: Mutex<HashMap<RequestId, Request>>,
    payloads: Mutex<HashMap<(RequestId, PayloadKind), Bytes>>,
    calls: Mutex<Vec<Call>>,
    fault: Mutex<Option<Fault>>,
    out_of_order: AtomicBool,
    after_read: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// What goes wrong with the next inserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk is full.
    Full,
}

impl Memory {
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// As a store on AWS: a write must be awaited before the next of the same request.
    pub(crate) fn commit_out_of_order(&self) {
        self.out_of_order.store(true, Ordering::SeqCst);
    }

    /// What happens elsewhere right after the next row was read.
    pub(crate) fn after_read(&self, happens: impl FnOnce() + Send + 'static) {
        *self.after_read.lock().unwrap() = Some(Box::new(happens));
    }

    pub(crate) fn row(&self, id: RequestId) -> Option<Request> {
        self.rows.lock().unwrap().get(&id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    pub(crate) fn body(&self, id: RequestId) -> Bytes {
        self.payloads.lock().unwrap()[&(id, PayloadKind::Body)].clone()
    }

    pub(crate) fn apply(&self, id: RequestId, change: &Change) -> Result<Request, ChangeError> {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(&id).ok_or(ChangeError::NotFound(id))?;
        *row = lifecycle::apply(row, change)?;
        if let Change::Claim { call, at } = change {
            self.calls.lock().unwrap().push(Call {
                request: id,
                number: *call,
                lane: row.lane.clone(),
                reserved: row.reserved,
                charged_at: *at,
                settlement: None,
            });
        }
        Ok(row.clone())
    }

    pub(crate) fn keep_result(&self, id: RequestId, result: Bytes) {
        self.payloads
            .lock()
            .unwrap()
            .insert((id, PayloadKind::Result), result);
    }

    /// What a retention that is over leaves of a body.
    pub(crate) fn lose_body(&self, id: RequestId) {
        self.payloads.lock().unwrap().remove(&(id, PayloadKind::Body));
    }

    fn insert_now(&self, new: NewRequest) -> Result<Inserted, StoreError> {
        if *self.fault.lock().unwrap() == Some(Fault::Full) {
            return Err(StoreError::Full("no space left on device".to_owned()));
        }
        let mut rows = self.rows.lock().unwrap();
        if let Some(row) = rows.get(&new.request.id) {
            return Ok(if row.body_hash == new.request.body_hash {
                Inserted::Same(Box::new(row.clone()))
            } else {
                Inserted::Conflict
            });
        }
        let PayloadRef::Inline(body) = new.body else {
            return Err(StoreError::Failed("only inline bodies are kept here".to_owned()));
        };
        self.payloads
            .lock()
            .unwrap()
            .insert((new.request.id, PayloadKind::Body), body);
        rows.insert(new.request.id, new.request);
        Ok(Inserted::Fresh)
    }
}

impl Store for Memory {
    fn commits_in_order(&self) -> bool {
        !self.out_of_order.load(Ordering::SeqCst)
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        let outcome = self.insert_now(new);
        Box::pin(async move { outcome })
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        let outcome = self.apply(id, &change);
        Box::pin(async move { outcome })
    }

    fn end(
        &self,
        id: RequestId,
        _settlement: Settlement,
        change: Option<Change>,
        _result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        let request = change.map_or(Err(ChangeError::NotFound(id)), |change| self.apply(id, &change));
        Box::pin(async move { Ok(EndReport { request }) })
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        _result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.change(id, change)
    }

    fn keep_memory(&self, _lane: &LaneId, _memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        Box::pin(async move {
            let row = self.row(id);
            let happens = self.after_read.lock().unwrap().take();
            if let Some(happens) = happens {
                happens();
            }
            Ok(row)
        })
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        let calls = self.calls.lock().unwrap();
        let calls = calls.iter().filter(|call| call.request == id).cloned().collect();
        Box::pin(async { Ok(calls) })
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        let rows = self.rows.lock().unwrap();
        let mut found: Vec<Request> = rows.values().filter(|row| filter.takes(row)).cloned().collect();
        found.retain(|row| cursor.as_ref().is_none_or(|last| row.id.to_string() < *last));
        found.sort_by_key(|row| std::cmp::Reverse(row.id));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|row| row.id.to_string());
        let page = ListPage {
            requests: found,
            next,
        };
        Box::pin(async { Ok(page) })
    }

    fn recover(
        &self,
        _lane: &LaneId,
        _charged_since: Timestamp,
    ) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        Box::pin(async { Ok(Recovered::default()) })
    }

    fn keep_day(&self, _lane: &LaneId, _count: DayCount) -> Pending<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Payloads for Memory {
    fn keep(
        &self,
        _id: RequestId,
        _kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        Box::pin(async move { Ok(PayloadRef::Inline(payload)) })
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.payloads.lock().unwrap().get(&(id, kind)).cloned()) })
    }
}
