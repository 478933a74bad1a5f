//! Ends without a call, and ends that an operator takes back.

use super::bed::{Bed, Restart};
use crate::conformance::suite::cases;
use crate::conformance::words::{degrade, fail, id, lane, request, settlement, tenant, to_text};
use bytes::Bytes;
use smoother_core::breaker::BreakerMemory;
use smoother_core::call::CallEnding;
use smoother_core::model::ErrorFilter;
use smoother_core::ports::{ChangeError, LaneMemory, ListFilter, PayloadKind, PayloadRef};
use smoother_core::{Change, Door, ModelErrorKind, Request, RequestId, State, Timestamp};

cases! { Bed;
    an_answer_without_a_call_is_stored_with_its_end,
    an_answer_that_is_refused_leaves_nothing,
    a_degraded_end_of_a_call_keeps_its_text,
    dead_letters_are_listed_until_they_are_dismissed_or_redriven,
    dead_letters_are_listed_by_what_they_met_and_when,
    dead_letters_are_counted_by_lane_as_they_come_and_go,
    a_redriven_request_lives_and_ends_again,
    a_redriven_request_is_never_told_as_open,
    what_a_lane_has_learned_is_the_last_it_kept,
}

fn text(of: &str) -> PayloadRef {
    PayloadRef::Inline(of.to_owned().into())
}

fn falls_back(n: u64) -> Request {
    let mut row = request(n);
    row.fallback = to_text();
    row
}

fn job(n: u64) -> Request {
    let mut row = request(n);
    row.door = Door::Job;
    row
}

/// A job that failed by no fault of its own.
async fn dead(bed: &Bed, row: &Request) -> Request {
    bed.running(row).await;
    let mut change = fail(Some(1));
    if let Change::Fail { failure, .. } = &mut change {
        failure.status = 500;
    }
    let settled = settlement(1, CallEnding::Failed, 1);
    let dead = bed
        .end(row.id, settled, Some(change), None)
        .await
        .request
        .unwrap();
    assert!(dead.dead);
    dead
}

async fn result(bed: &Bed, n: u64) -> Option<Bytes> {
    bed.payloads.fetch(id(n), PayloadKind::Result).await.unwrap()
}

async fn an_answer_without_a_call_is_stored_with_its_end(bed: Bed) {
    bed.insert(&falls_back(1)).await.unwrap();
    let answered = bed
        .store
        .answer(id(1), degrade(None), text("later"))
        .await
        .unwrap();
    assert_eq!(answered.state, State::Completed);
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(bed.get(id(1)).await, answered);
    assert_eq!(result(&bed, 1).await.unwrap(), "later");
    assert!(bed.calls(id(1)).await.is_empty());
    assert_eq!(bed.untold(1).await[0].request, answered);
    // A large one, which does not travel with the row.
    bed.insert(&falls_back(2)).await.unwrap();
    let large = Bytes::from(vec![b'x'; 300_000]);
    let held = bed
        .payloads
        .keep(id(2), PayloadKind::Result, large.clone())
        .await
        .unwrap();
    bed.store.answer(id(2), degrade(None), held).await.unwrap();
    assert!(result(&bed, 2).await.unwrap() == large);
}

async fn an_answer_that_is_refused_leaves_nothing(bed: Bed) {
    bed.insert(&request(1)).await.unwrap();
    let running = bed.running(&falls_back(2)).await;
    for n in [1, 2] {
        let refused = bed.store.answer(id(n), degrade(None), text("later")).await;
        assert!(matches!(refused, Err(ChangeError::Refused(_))), "{refused:?}");
        assert_eq!(result(&bed, n).await, None);
    }
    assert_eq!(bed.get(id(1)).await, request(1));
    assert_eq!(bed.get(id(2)).await, running);
    let unknown = bed.store.answer(id(9), degrade(None), text("later")).await;
    assert_eq!(unknown, Err(ChangeError::NotFound(id(9))));
    assert_eq!(result(&bed, 9).await, None);
}

async fn a_degraded_end_of_a_call_keeps_its_text(bed: Bed) {
    bed.running(&falls_back(1)).await;
    let settled = settlement(1, CallEnding::Failed, 3);
    let report = bed
        .end(id(1), settled, Some(degrade(Some(1))), Some("later"))
        .await;
    assert_eq!(report.request.unwrap().state, State::Completed);
    assert_eq!(result(&bed, 1).await.unwrap(), "later");
    assert!(bed.calls(id(1)).await[0].settlement.is_some());
    bed.untold(1).await;
}

async fn dead_letters_are_listed_by_what_they_met_and_when(bed: Bed) {
    let met = [Some(ModelErrorKind::Internal), None, Some(ModelErrorKind::Cut)];
    for n in 0..9_usize {
        let row = job(n as u64);
        bed.running(&row).await;
        let mut change = fail(Some(1));
        if let Change::Fail { failure, at, .. } = &mut change {
            (failure.status, failure.kind) = (500, met[n % 3]);
            *at = Timestamp::from_millis(1_000 + n as u64);
        }
        let settled = settlement(1, CallEnding::Failed, 1);
        let row = bed.end(row.id, settled, Some(change), None).await.request;
        assert!(row.unwrap().dead);
    }
    let at = |ms| Some(Timestamp::from_millis(ms));
    for (error, from, before, expected) in [
        (Some("internal"), None, None, vec![6, 3, 0]),
        (Some("none"), None, None, vec![7, 4, 1]),
        (Some("stalled"), None, None, vec![]),
        (None, at(1_003), at(1_006), vec![5, 4, 3]),
        (Some("cut"), at(1_003), None, vec![8, 5]),
    ] {
        let filter = ListFilter {
            dead: true,
            error: error.map(|word| ErrorFilter::parse(word).unwrap()),
            ended_from: from,
            ended_before: before,
            ..ListFilter::default()
        };
        let expected: Vec<RequestId> = expected.into_iter().map(id).collect();
        assert_eq!(
            pages(&bed, filter).await,
            expected,
            "{error:?} {from:?} {before:?}"
        );
    }
}

async fn letters(bed: &Bed, of: Option<&str>) -> Vec<RequestId> {
    let filter = ListFilter {
        dead: true,
        tenant: of.map(tenant),
        ..ListFilter::default()
    };
    pages(bed, filter).await
}

/// Everything, two a page.
async fn pages(bed: &Bed, filter: ListFilter) -> Vec<RequestId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = bed.store.list(filter.clone(), cursor, 2).await.unwrap();
        found.extend(page.requests.iter().map(|row| row.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

async fn dead_letters_are_listed_until_they_are_dismissed_or_redriven(bed: Bed) {
    assert!(letters(&bed, None).await.is_empty());
    for n in 0..6 {
        let mut row = job(n);
        row.tenant = tenant(if n % 2 == 0 { "acme" } else { "umbrella" });
        dead(&bed, &row).await;
    }
    // Failed, and no dead letter: somebody was there to be told.
    bed.running(&request(7)).await;
    let settled = settlement(1, CallEnding::Failed, 1);
    bed.end(id(7), settled, Some(fail(Some(1))), None).await;
    assert_eq!(
        letters(&bed, None).await,
        (0..6).rev().map(id).collect::<Vec<_>>()
    );
    assert_eq!(letters(&bed, Some("acme")).await, [id(4), id(2), id(0)]);
    let told = bed.untold(7).await;
    bed.outbox.told(told[6].seq).await.unwrap();
    bed.change(id(4), Change::Dismiss).await.unwrap();
    bed.change(id(3), Change::Redrive).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(letters(&bed, Some("acme")).await, [id(2), id(0)]);
    assert_eq!(letters(&bed, Some("umbrella")).await, [id(5), id(1)]);
    let again = bed.change(id(4), Change::Redrive).await;
    assert!(matches!(again, Err(ChangeError::Refused(_))));
    // Dismissing ends nothing a second time: the next end is the only one to be told.
    let next = dead(&bed, &job(8)).await;
    assert_eq!(bed.untold(1).await[0].request, next);
}

async fn dead_letters_are_counted_by_lane_as_they_come_and_go(bed: Bed) {
    let counted = async |bed: &Bed| {
        let count = bed.store.dead_letters().await.unwrap();
        assert!(!count.more, "a few are counted whole");
        ["sonnet", "nova"].map(|name| count.lanes.get(&lane(name)).copied())
    };
    assert_eq!(counted(&bed).await, [None, None]);
    for n in 0..5 {
        let mut row = job(n);
        row.tenant = tenant(if n % 2 == 0 { "acme" } else { "umbrella" });
        row.lane = lane(if n == 4 { "nova" } else { "sonnet" });
        dead(&bed, &row).await;
    }
    bed.insert(&job(5)).await.unwrap();
    assert_eq!(counted(&bed).await, [Some(4), Some(1)]);
    bed.change(id(0), Change::Dismiss).await.unwrap();
    bed.change(id(1), Change::Redrive).await.unwrap();
    bed.change(id(4), Change::Redrive).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(counted(&bed).await, [Some(2), None]);
}

async fn a_redriven_request_lives_and_ends_again(bed: Bed) {
    dead(&bed, &job(1)).await;
    let first = bed.untold(1).await[0].seq;
    bed.outbox.told(first).await.unwrap();
    let open = bed.change(id(1), Change::Redrive).await.unwrap();
    assert_eq!((open.state, open.call.get()), (State::Queued, 1));
    let bed = bed.restarted(Restart::Crash).await;
    if bed.recovers() {
        let found = bed
            .store
            .recover(&lane("sonnet"), Timestamp::EPOCH)
            .await
            .unwrap();
        assert_eq!(found.waiting, [open]);
    } else {
        assert_eq!(bed.get(id(1)).await, open);
    }
    bed.release(id(1), 2).await.unwrap();
    bed.claim(id(1), 2).await.unwrap();
    let ended = bed.complete(id(1), 2, "at last").await.request.unwrap();
    assert_eq!(bed.calls(id(1)).await.len(), 2);
    assert_eq!(result(&bed, 1).await.unwrap(), "at last");
    let told = bed.untold(1).await;
    assert_eq!(told[0].request, ended);
    assert!(told[0].seq > first);
}

async fn a_redriven_request_is_never_told_as_open(bed: Bed) {
    dead(&bed, &job(1)).await;
    bed.change(id(1), Change::Redrive).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    // Its first end may be told as it was or not at all; its second one must be.
    bed.release(id(1), 2).await.unwrap();
    let entries = bed.outbox.next(0, 10);
    let early = tokio::time::timeout(std::time::Duration::from_millis(20), entries).await;
    for entry in early.into_iter().flatten().flatten() {
        assert!(entry.request.state.is_terminal(), "{:?}", entry.request);
    }
    bed.claim(id(1), 2).await.unwrap();
    let ended = bed.complete(id(1), 2, "at last").await.request.unwrap();
    let mut after = 0;
    loop {
        let entries = bed.outbox.next(after, 10).await.unwrap();
        assert!(entries.iter().all(|entry| entry.request.state.is_terminal()));
        if entries.iter().any(|entry| entry.request == ended) {
            return;
        }
        after = entries.last().unwrap().seq;
    }
}

async fn what_a_lane_has_learned_is_the_last_it_kept(bed: Bed) {
    if !bed.recovers() {
        return;
    }
    let memory = |row| LaneMemory {
        breaker: BreakerMemory {
            open_until: Some(Timestamp::from_millis(7)),
            row,
            hand: None,
        },
        pacing: serde_json::from_str(r#"{"t":{"o":3000,"x":1,"s":2}}"#).unwrap(),
    };
    for row in [3, 1] {
        bed.store.keep_memory(&lane("sonnet"), memory(row)).await.unwrap();
    }
    let bed = bed.restarted(Restart::Crash).await;
    for (name, expected) in [("sonnet", memory(1)), ("nova", LaneMemory::default())] {
        let found = bed.store.recover(&lane(name), Timestamp::EPOCH).await.unwrap();
        assert_eq!(found.memory, expected);
    }
}
