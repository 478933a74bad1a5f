//! Ports in memory. Only what this stage calls is there; the rest refuses.

use bytes::Bytes;
use smoother_core::ports::{
    BoxFuture, ChangeError, Clock, DayCount, EndReport, Inserted, LaneMemory, LaneViews, ListFilter,
    ListPage, Live, NewRequest, Outbox, OutboxEntry, PayloadKind, PayloadRef, Payloads, Pending, Reader,
    Recovered, Store, StoreError, Update,
};
use smoother_core::scheduler::{Forecast, LaneView};
use smoother_core::{Call, Change, LaneId, Request, RequestId, Settlement, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

fn refuse<T: Send + 'static>() -> Pending<Result<T, StoreError>> {
    Box::pin(ready(Err(StoreError::Failed("not of this test".to_owned()))))
}

#[derive(Default)]
pub struct Rows {
    pub rows: Mutex<BTreeMap<RequestId, Request>>,
    pub calls: Mutex<Vec<Call>>,
    pub broken: Mutex<Option<StoreError>>,
    pub reads: AtomicU64,
}

impl Rows {
    pub fn put(&self, row: Request) {
        self.rows.lock().unwrap().insert(row.id, row);
    }

    fn check(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.broken.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Store for Rows {
    fn commits_in_order(&self) -> bool {
        true
    }

    fn insert(&self, _: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        refuse()
    }

    fn change(&self, id: RequestId, _: Change) -> Pending<Result<Request, ChangeError>> {
        Box::pin(ready(Err(ChangeError::NotFound(id))))
    }

    fn end(
        &self,
        _: RequestId,
        _: Settlement,
        _: Option<Change>,
        _: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        refuse()
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        let row = self.check().map(|()| self.rows.lock().unwrap().get(&id).cloned());
        Box::pin(ready(row))
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        let calls = self.calls.lock().unwrap();
        Box::pin(ready(Ok(calls
            .iter()
            .filter(|c| c.request == id)
            .cloned()
            .collect())))
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        if let Some(error) = self.broken.lock().unwrap().clone() {
            return Box::pin(ready(Err(error)));
        }
        let rows = self.rows.lock().unwrap();
        let start: usize = cursor.map_or(0, |c| c.parse().unwrap());
        let all: Vec<Request> = rows
            .values()
            .rev()
            .filter(|row| filter.takes(row))
            .cloned()
            .collect();
        let page = ListPage {
            requests: all.iter().skip(start).take(limit).cloned().collect(),
            next: (start + limit < all.len()).then(|| (start + limit).to_string()),
        };
        Box::pin(ready(Ok(page)))
    }

    fn recover(&self, _: &LaneId, _: Timestamp) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        refuse()
    }

    fn answer(&self, _: RequestId, _: Change, _: PayloadRef) -> Pending<Result<Request, ChangeError>> {
        Box::pin(ready(Err(
            StoreError::Failed("not of this test".to_owned()).into()
        )))
    }

    fn keep_memory(&self, _: &LaneId, _: LaneMemory) -> Pending<Result<(), StoreError>> {
        refuse()
    }

    fn keep_day(&self, _: &LaneId, _: DayCount) -> Pending<Result<(), StoreError>> {
        refuse()
    }
}

#[derive(Default)]
pub struct Kept(pub Mutex<HashMap<RequestId, Bytes>>);

impl Payloads for Kept {
    fn keep(
        &self,
        _: RequestId,
        _: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        Box::pin(ready(Ok(PayloadRef::Inline(payload))))
    }

    fn fetch(&self, id: RequestId, _: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(ready(Ok(self.0.lock().unwrap().get(&id).cloned())))
    }
}

/// Entries that are not yet told, and every mark that was made.
#[derive(Default)]
pub struct Entries {
    pub waiting: Mutex<Vec<OutboxEntry>>,
    pub marks: watch::Sender<Vec<u64>>,
    pub failures: AtomicU64,
    pub changed: Notify,
}

impl Entries {
    pub fn push(&self, seq: u64, request: Request) {
        self.waiting.lock().unwrap().push(OutboxEntry { seq, request });
        self.changed.notify_waiters();
    }

    fn fails(&self) -> Result<(), StoreError> {
        let take = |n: u64| n.checked_sub(1);
        match self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => Err(StoreError::Failed("for a while".to_owned())),
            Err(_) => Ok(()),
        }
    }
}

impl Outbox for Entries {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(async move {
            self.fails()?;
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let found: Vec<OutboxEntry> = {
                    let waiting = self.waiting.lock().unwrap();
                    waiting
                        .iter()
                        .filter(|e| e.seq > after)
                        .take(limit)
                        .cloned()
                        .collect()
                };
                if !found.is_empty() {
                    return Ok(found);
                }
                changed.await;
            }
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        let done = self.fails().map(|()| {
            self.waiting.lock().unwrap().retain(|e| e.seq > seq);
            self.marks.send_modify(|marks| marks.push(seq));
        });
        Box::pin(ready(done))
    }
}

#[derive(Default)]
pub struct Logs {
    logs: Mutex<HashMap<RequestId, watch::Sender<Vec<Update>>>>,
    pub subscribed: Notify,
}

impl Live for Logs {
    fn publish(&self, id: RequestId, update: Update) {
        let mut logs = self.logs.lock().unwrap();
        logs.entry(id).or_default().send_modify(|log| {
            if !matches!(log.last(), Some(Update::Ended(_))) {
                log.push(update);
            }
        });
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        let log = self.logs.lock().unwrap().entry(id).or_default().subscribe();
        self.subscribed.notify_one();
        Box::new(Place { log, at: 0 })
    }

    fn readers(&self, id: RequestId) -> usize {
        self.logs
            .lock()
            .unwrap()
            .get(&id)
            .map_or(0, |log| log.receiver_count())
    }

    fn abort(&self, _: RequestId) {}

    fn aborted(&self, _: RequestId) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Place {
    log: watch::Receiver<Vec<Update>>,
    at: usize,
}

impl Reader for Place {
    fn next(&mut self) -> BoxFuture<'_, Option<Update>> {
        Box::pin(async move {
            let ended = |log: &[Update], at: usize| at > 0 && matches!(log[at - 1], Update::Ended(_));
            if ended(&self.log.borrow(), self.at) {
                return None;
            }
            let at = self.at;
            let update = self.log.wait_for(|log| log.len() > at).await.ok()?[at].clone();
            self.at += 1;
            Some(update)
        })
    }
}

#[derive(Default)]
pub struct Views {
    pub views: Mutex<BTreeMap<LaneId, LaneView>>,
    pub forecast: Mutex<Option<Forecast>>,
}

impl LaneViews for Views {
    fn lanes(&self) -> Vec<LaneId> {
        self.views.lock().unwrap().keys().cloned().collect()
    }

    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        Box::pin(ready(self.views.lock().unwrap().get(lane).cloned()))
    }

    fn forecast(&self, _: &LaneId, _: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        Box::pin(ready(*self.forecast.lock().unwrap()))
    }
}

pub struct Fixed(pub Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub fn shared<T: Default>() -> Arc<T> {
    Arc::new(T::default())
}
