//! The store.

use super::{Part, Rig};
use crate::broken::Broken;
use crate::judge::short;
use bytes::Bytes;
use smoother_core::breaker::Hand;
use smoother_core::call::Settlement;
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, EndReport, Inserted, LaneMemory, LaneQueue, ListFilter, ListPage,
    NewRequest, Outbox, OutboxEntry, PayloadKind, PayloadRef, Payloads, Pending, Recovered, Store,
    StoreError,
};
use smoother_core::scheduler::Event;
use smoother_core::{Call, Change, LaneId, Request, RequestId, State, Timestamp};
use smoother_tests::memory::MemoryStore;
use std::future::ready;
use std::sync::Arc;

/// One part's way to the durable tables.
#[derive(Clone)]
pub struct RigStore {
    pub rig: Rig,
    pub store: Arc<MemoryStore>,
}

impl RigStore {
    pub(super) fn is(&self, broken: Broken) -> bool {
        self.rig.mischief.is(broken)
    }

    /// The disk is full for this write: nothing of it is written.
    fn is_full(&self) -> Option<StoreError> {
        let full = self.rig.mischief.strikes(|weather| weather.full_disk);
        if full {
            self.rig
                .judge
                .note("full", format!("disk for {:?}", self.rig.part));
        }
        full.then(|| StoreError::Full("no room in the simulation".to_owned()))
    }

    /// Answers a write with an error when its turn has come: by then those begun before it are made.
    fn refuse<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        error: StoreError,
    ) -> Pending<Result<T, E>> {
        let store = Arc::clone(&self.store);
        self.rig.life.begin(move || {
            // Changes nothing, in its turn.
            let turn = store.told(0);
            Box::pin(async move {
                drop(turn.await);
                Err(error.into())
            })
        })
    }

    /// A write, if there is room for it.
    fn write<T, E>(
        &self,
        begin: impl FnOnce(&MemoryStore) -> Pending<Result<T, E>> + Send + 'static,
    ) -> Pending<Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if let Some(full) = self.is_full() {
            return self.refuse(full);
        }
        let store = Arc::clone(&self.store);
        self.rig.life.begin(move || begin(&store))
    }

    fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(Arc<MemoryStore>) -> BoxFuture<'static, T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        let store = Arc::clone(&self.store);
        self.rig.life.begin(move || look(store))
    }

    /// The same, and a word of it where it fails.
    fn heard<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
        &self,
        id: RequestId,
        what: &'static str,
        begun: BoxFuture<'static, Result<T, E>>,
    ) -> BoxFuture<'static, Result<T, E>> {
        let judge = self.rig.judge.clone();
        judge.note("begin", format!("{} {what}", short(id)));
        Box::pin(async move {
            let outcome = begun.await;
            if let Err(error) = &outcome {
                judge.note("failed", format!("{} {what}: {error}", short(id)));
            }
            outcome
        })
    }

    pub(super) fn row(&self, id: RequestId) -> Option<Request> {
        self.rig.world.rows().into_iter().find(|row| row.id == id)
    }
}

impl Store for RigStore {
    fn commits_in_order(&self) -> bool {
        self.store.commits_in_order()
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        let begun = self.write(move |store| store.insert(new));
        if self.is(Broken::AcceptedBeforeDurable) {
            return Box::pin(ready(Ok(Inserted::Fresh)));
        }
        if self.is(Broken::ConflictOverlooked) {
            return Box::pin(async move {
                Ok(match begun.await? {
                    Inserted::Conflict => Inserted::Fresh,
                    inserted => inserted,
                })
            });
        }
        begun
    }

    fn change(&self, id: RequestId, change: Change) -> Pending<Result<Request, ChangeError>> {
        if let Some(unwritten) = self.unwritten(id, &change) {
            return Box::pin(ready(Ok(unwritten)));
        }
        let early = self.claimed_early(id, &change);
        let word = change.as_str();
        let begun = self.heard(id, word, self.write(move |store| store.change(id, change)));
        match early {
            Some(row) if self.is(Broken::CalledBeforeDurable) => Box::pin(ready(Ok(row))),
            Some(row) => Box::pin(async move { Ok(begun.await.unwrap_or(row)) }),
            None => begun,
        }
    }

    fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Pending<Result<EndReport, StoreError>> {
        if self.is(Broken::AbortedNotSettled) && change.is_none() {
            let request = self.row(id).ok_or(ChangeError::NotFound(id));
            return Box::pin(ready(Ok(EndReport { request })));
        }
        if self.is(Broken::LostCallsIgnored) && matches!(change, Some(Change::Lose { .. })) {
            return self.refuse(StoreError::Failed("nobody looks after lost calls".to_owned()));
        }
        if self.is(Broken::ToldBeforeCommit) {
            self.tell_early(id, change.as_ref(), result.as_ref());
        }
        let result = result.filter(|_| !self.is(Broken::ResultNotKept));
        let (told, asked) = (settlement.clone(), change.clone());
        let begun = self.heard(
            id,
            "end",
            self.write(move |store| store.end(id, settlement, change, result)),
        );
        let rig = self.clone();
        Box::pin(async move {
            let report = begun.await?;
            rig.spoil(id, told, asked, &report);
            Ok(report)
        })
    }

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.write(move |store| store.answer(id, change, result))
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        if self.is(Broken::ConflictOverlooked) && self.rig.part == Part::WayIn {
            return Box::pin(ready(Ok(None)));
        }
        self.heard(
            id,
            "get",
            self.read(move |store| Box::pin(async move { store.get(id).await })),
        )
    }

    fn calls(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        self.read(move |store| Box::pin(async move { store.calls(id).await }))
    }

    fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<ListPage, StoreError>> {
        self.read(move |store| Box::pin(async move { store.list(filter, cursor, limit).await }))
    }

    fn recover(&self, lane: &LaneId, since: Timestamp) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        let lane = lane.clone();
        if self.is(Broken::RestartForgetsRunning) {
            let rows = self.rig.world.rows().into_iter();
            let waiting = rows
                .filter(|row| row.lane == lane && row.state == State::Queued)
                .collect();
            return Box::pin(ready(Ok(Recovered {
                waiting,
                ..Recovered::default()
            })));
        }
        let recovered = self.read(move |store| Box::pin(async move { store.recover(&lane, since).await }));
        let forgets = self.is(Broken::LedgerNotRebuilt);
        Box::pin(async move {
            let mut recovered = recovered.await?;
            if forgets {
                recovered.calls.clear();
            }
            Ok(recovered)
        })
    }

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        let lane = lane.clone();
        self.write(move |store| store.keep_day(&lane, count))
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        if self.is(Broken::BreakerStaysOpen)
            && memory.breaker.open_until.is_some()
            && let Some(lanes) = self.rig.post.lanes()
        {
            drop(lanes.send(lane, Event::Breaker(Some(Hand::Open))));
        }
        let lane = lane.clone();
        self.write(move |store| store.keep_memory(&lane, memory))
    }
}

impl Payloads for RigStore {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        if let Some(full) = self.is_full() {
            return self.refuse(full);
        }
        self.read(move |store| Box::pin(async move { store.keep(id, kind, payload).await }))
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.read(move |store| Box::pin(async move { store.fetch(id, kind).await }))
    }
}

impl Outbox for RigStore {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        let entries = self.read(move |store| Box::pin(async move { store.next(after, limit).await }));
        let drops = self.is(Broken::OutboxEntryDropped);
        Box::pin(async move {
            let mut entries = entries.await?;
            if drops && entries.len() > 1 {
                entries.remove(0);
            }
            Ok(entries)
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        self.write(move |store| store.told(seq))
    }
}
