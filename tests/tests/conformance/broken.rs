//! The suite bites: adapters with one fault each fail the cases made for it, and only lists that can see it.

use crate::memory::{MemoryStand, queue_stand};
use smoother_core::call::{Call, CallEnding, Settlement};
use smoother_core::ports::{
    BoxFuture, ChangeError, DayCount, Dispatch, EndReport, Inserted, LaneMemory, LaneQueue, ListFilter,
    ListPage, Live, NewRequest, Outbox, OutboxEntry, PayloadRef, Pending, QueueError, Reader, Recovered,
    Released, Store, StoreError, Update,
};
use smoother_core::scheduler::Event;
use smoother_core::{Change, LaneId, Request, RequestId, Rev, State, Timestamp};
use smoother_tests::conformance::store::{self, Bed, Ports, Restart, Stand};
use smoother_tests::conformance::{Case, failures, live, queues};
use smoother_tests::memory::{Options, World};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// One thing that a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
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
}

/// A store in memory with a fault.
#[derive(Clone)]
struct Broken {
    store: Arc<dyn Store>,
    outbox: Arc<dyn Outbox>,
    fault: Fault,
    settled: Arc<Mutex<HashMap<RequestId, Settlement>>>,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl Store for Broken {
    fn commits_in_order(&self) -> bool {
        self.store.commits_in_order()
    }

    fn insert(&self, new: NewRequest) -> Pending<Result<Inserted, StoreError>> {
        if self.is(Fault::AnswersBeforeItIsDurable) {
            drop(self.store.insert(new));
            return Box::pin(async { Ok(Inserted::Fresh) });
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

    fn answer(
        &self,
        id: RequestId,
        change: Change,
        result: PayloadRef,
    ) -> Pending<Result<Request, ChangeError>> {
        self.store.answer(id, change, result)
    }

    fn get(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Request>, StoreError>> {
        self.store.get(id)
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

    fn keep_day(&self, lane: &LaneId, count: DayCount) -> Pending<Result<(), StoreError>> {
        self.store.keep_day(lane, count)
    }

    fn keep_memory(&self, lane: &LaneId, memory: LaneMemory) -> Pending<Result<(), StoreError>> {
        self.store.keep_memory(lane, memory)
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

struct BrokenStand {
    stand: Box<dyn Stand>,
    fault: Fault,
    settled: Arc<Mutex<HashMap<RequestId, Settlement>>>,
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
            outbox,
            fault: self.fault,
            settled: self.settled.clone(),
        });
        Ports {
            store: broken.clone(),
            payloads,
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

async fn failed<S: Send + 'static>(cases: &'static [Case<S>], fresh: impl Fn() -> S) -> Vec<&'static str> {
    let failed = failures(cases, || async { fresh() }).await;
    failed.into_iter().map(|(name, _)| name).collect()
}

/// The cases of this list that fail for a store with this fault.
async fn bitten(cases: &'static [Case<Bed>], fault: Fault) -> Vec<&'static str> {
    failed(cases, || {
        Bed::new(Box::new(BrokenStand {
            stand: Box::new(MemoryStand::new(Options::default())),
            fault,
            settled: Arc::default(),
        }))
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_fails_the_cases_made_for_its_fault() {
    let table: [(Fault, &'static [Case<Bed>], &str); 11] = [
        (
            Fault::SettlesTwice,
            store::ends::CASES,
            "the_first_settlement_stands",
        ),
        (
            Fault::ForgetsTheOutbox,
            store::outbox::CASES,
            "every_way_to_end_is_told_once",
        ),
        (
            Fault::TellsOnceOnly,
            store::outbox::CASES,
            "ends_are_read_in_order_until_they_are_told",
        ),
        (
            Fault::IgnoresTheFence,
            store::changes::CASES,
            "each_call_number_is_claimed_once_whoever_asks",
        ),
        (
            Fault::ServesAnotherTenant,
            store::listing::CASES,
            "a_tenants_listing_holds_nobody_elses_rows",
        ),
        (
            Fault::SkipsARowBetweenPages,
            store::listing::CASES,
            "rows_that_come_meanwhile_hide_and_repeat_nothing",
        ),
        (
            Fault::TakesAnyCursor,
            store::listing::CASES,
            "a_cursor_that_is_none_is_refused",
        ),
        (
            Fault::AnswersBeforeItIsDurable,
            store::inserts::CASES,
            "a_row_reads_back_as_it_was_written",
        ),
        (
            Fault::JoinsAnotherBody,
            store::inserts::CASES,
            "the_same_body_joins_and_another_is_a_conflict",
        ),
        (
            Fault::LosesARelease,
            store::recovery::CASES,
            "a_release_that_nobody_can_claim_any_more_waits_again",
        ),
        (
            Fault::ForgetsItsCalls,
            store::recovery::CASES,
            "the_call_of_a_cancelled_request_is_settled_too",
        ),
    ];
    for (fault, cases, made_for_it) in table {
        let failed = bitten(cases, fault).await;
        assert!(failed.contains(&made_for_it), "{fault:?} failed only {failed:?}");
        assert!(
            failed.len() < cases.len(),
            "{fault:?} fails everything: {failed:?}"
        );
    }
}

/// Queues that let every second message pass the one before it.
struct Disorderly<Q, M> {
    queue: Q,
    held: Mutex<Option<M>>,
}

impl<Q, M> Disorderly<Q, M> {
    fn new(queue: Q) -> Self {
        Self {
            queue,
            held: Mutex::new(None),
        }
    }
}

impl LaneQueue for Disorderly<Arc<dyn LaneQueue>, (LaneId, Event)> {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        let mut held = self.held.lock().unwrap();
        match held.take() {
            None => {
                *held = Some((lane.clone(), event));
                Box::pin(async { Ok(()) })
            }
            Some((other, earlier)) => {
                drop(self.queue.send(lane, event));
                self.queue.send(&other, earlier)
            }
        }
    }
}

impl Dispatch for Disorderly<Arc<dyn Dispatch>, ()> {
    fn send(&self, mut released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        released.reverse();
        self.queue.send(released)
    }
}

#[tokio::test(start_paused = true)]
async fn queues_without_order_fail() {
    let failed = failed(queues::CASES, || {
        let stand = queue_stand();
        queues::Stand {
            lanes: Arc::new(Disorderly::new(stand.lanes)),
            dispatch: Arc::new(Disorderly::new(stand.dispatch)),
            ..stand
        }
    })
    .await;
    for made_for_it in [
        "events_of_one_request_keep_their_order",
        "released_requests_reach_the_workers",
    ] {
        assert!(failed.contains(&made_for_it), "{failed:?}");
    }
    assert!(!failed.contains(&"events_reach_their_own_lane"), "{failed:?}");
}

/// What a hub does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deaf {
    Abort,
    Past,
    End,
    Again,
}

struct BrokenHub(Arc<dyn Live>, Deaf);

impl Live for BrokenHub {
    fn publish(&self, id: RequestId, update: Update) {
        self.0.publish(id, update);
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        let mut reader = self.0.subscribe(id);
        if self.1 == Deaf::Past {
            let mut context = Context::from_waker(Waker::noop());
            while matches!(reader.next().as_mut().poll(&mut context), Poll::Ready(Some(_))) {}
        }
        reader
    }

    fn reopen(&self, id: RequestId, rev: Rev) {
        if self.1 != Deaf::Again {
            self.0.reopen(id, rev);
        }
    }

    fn readers(&self, id: RequestId) -> usize {
        self.0.readers(id)
    }

    fn abort(&self, id: RequestId) {
        if self.1 != Deaf::Abort {
            self.0.abort(id);
        }
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        if self.1 == Deaf::End {
            return Box::pin(std::future::pending());
        }
        self.0.aborted(id)
    }
}

#[tokio::test(start_paused = true)]
async fn hubs_that_are_deaf_fail() {
    let table = [
        (
            Deaf::Abort,
            "an_abort_reaches_the_runner_before_and_while_it_listens",
        ),
        (Deaf::Past, "early_and_late_readers_read_the_same_to_the_end"),
        (Deaf::End, "the_end_frees_the_runner"),
        (
            Deaf::Again,
            "a_request_on_its_way_again_is_not_ended_by_its_former_end",
        ),
    ];
    for (deaf, made_for_it) in table {
        let failed = failed(live::CASES, || {
            let live = World::new(Options::default()).boot().live();
            Arc::new(BrokenHub(Arc::new(live), deaf)) as Arc<dyn Live>
        })
        .await;
        assert!(failed.contains(&made_for_it), "{deaf:?} failed only {failed:?}");
        assert!(failed.len() < live::CASES.len());
    }
}
