//! What a lane finds after a restart.

use crate::fixture::*;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::{Change, State};
use smoother_core::ports::{DayCount, Outbox, Store};
use smoother_core::request::OnIndeterminate;
use smoother_core::{CallNo, HopCause, ModelErrorKind, Timestamp, Tokens};

#[tokio::test]
async fn waiting_requests_come_back_in_order_of_arrival() {
    let f = Fixture::new();
    for n in [3, 1, 2] {
        f.insert(&request(n)).await.unwrap();
    }
    let mut elsewhere = request(4);
    elsewhere.lane = lane("nova");
    f.insert(&elsewhere).await.unwrap();
    f.insert(&request(5)).await.unwrap();
    f.store.change(id(5), Change::Cancel { at: at(9) }).await.unwrap();

    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    let ids: Vec<_> = found.waiting.iter().map(|r| r.id).collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
    assert!(
        found
            .waiting
            .iter()
            .all(|r| *r == request(r.arrived_at.since(at(0)).get()))
    );
    let other = f.store.recover(&lane("nova"), Timestamp::EPOCH).await.unwrap();
    assert_eq!(other.waiting, [elsewhere]);
}

#[tokio::test]
async fn a_release_that_nobody_can_claim_any_more_waits_again() {
    let f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    f.release(id(1), 1).await.unwrap();
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    let row = &found.waiting[0];
    assert_eq!(
        (row.state, row.call, row.calls_made),
        (State::Queued, CallNo::new(1), 0)
    );
    assert!(found.calls.is_empty());
    f.release(id(1), 2).await.unwrap();
    assert!(f.claim(id(1), 1).await.is_err());
    f.claim(id(1), 2).await.unwrap();
}

#[tokio::test]
async fn a_running_call_is_indeterminate_and_its_request_goes_by_its_policy() {
    let f = Fixture::new();
    for (n, policy) in [(1, OnIndeterminate::Retry), (2, OnIndeterminate::Fail)] {
        let mut row = request(n);
        row.on_indeterminate = policy;
        f.insert(&row).await.unwrap();
        f.release(id(n), 1).await.unwrap();
        f.claim(id(n), 1).await.unwrap();
    }
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    assert_eq!(found.waiting.iter().map(|r| r.id).collect::<Vec<_>>(), [id(1)]);
    assert_eq!(f.get(id(1)).await.state, State::Queued);
    assert_eq!(f.get(id(2)).await.state, State::Failed);
    assert_eq!(found.calls.len(), 2);
    for n in [1, 2] {
        let call = f.store.calls(id(n)).await.unwrap().remove(0);
        assert!(found.calls.contains(&call));
        assert_eq!(call.charge(), Tokens::new(110));
        assert_eq!(call.settlement.unwrap().ending, CallEnding::Indeterminate);
    }
    let told = f.store.next(0, 10).await.unwrap();
    assert_eq!(told.iter().map(|e| e.request.id).collect::<Vec<_>>(), [id(2)]);
    // The same question again finds the same.
    let again = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    assert_eq!(again.waiting, found.waiting);
    assert_eq!(again.calls, found.calls);
}

#[tokio::test]
async fn the_call_of_a_cancelled_request_is_settled_too() {
    let f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    f.release(id(1), 1).await.unwrap();
    f.claim(id(1), 1).await.unwrap();
    f.store
        .change(id(1), Change::Cancel { at: at(250) })
        .await
        .unwrap();
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    assert!(found.waiting.is_empty());
    assert_eq!(found.calls[0].charge(), Tokens::new(110));
    assert_eq!(f.get(id(1)).await.state, State::Cancelled);
}

#[tokio::test]
async fn only_calls_charged_lately_come_back() {
    let f = Fixture::new();
    for n in [1, 2] {
        f.insert(&request(n)).await.unwrap();
        f.release(id(n), 1).await.unwrap();
        let claim = Change::Claim {
            call: CallNo::new(1),
            at: at(n * 1_000),
        };
        f.store.change(id(n), claim).await.unwrap();
        f.complete(id(n), 1, b"answer").await;
    }
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), at(1_500)).await.unwrap();
    assert_eq!(found.calls.len(), 1);
    assert_eq!(found.calls[0].request, id(2));
}

#[tokio::test]
async fn a_request_diverted_to_another_lane_waits_there() {
    let f = Fixture::new();
    f.insert(&falling_back(1)).await.unwrap();
    f.release(id(1), 1).await.unwrap();
    f.claim(id(1), 1).await.unwrap();
    let divert = Change::Divert {
        call: Some(CallNo::new(1)),
        cause: HopCause::Error(ModelErrorKind::AccessDenied),
        at: at(0),
    };
    let settled = settlement(1, CallEnding::Failed, 0);
    f.store.end(id(1), settled, Some(divert), None).await.unwrap();
    let f = f.reopened();
    assert!(
        f.store
            .recover(&lane("sonnet"), Timestamp::EPOCH)
            .await
            .unwrap()
            .waiting
            .is_empty()
    );
    assert_eq!(
        f.store
            .recover(&lane("nova"), Timestamp::EPOCH)
            .await
            .unwrap()
            .waiting
            .len(),
        1
    );
}

#[tokio::test]
async fn the_days_counter_only_rises_within_its_day() {
    let f = Fixture::new();
    let count = |day, tokens| DayCount {
        day,
        tokens: Tokens::new(tokens),
    };
    for (day, tokens) in [(5, 100), (5, 40), (4, 900)] {
        f.store
            .keep_day(&lane("sonnet"), count(day, tokens))
            .await
            .unwrap();
    }
    let f = f.reopened();
    let day = f
        .store
        .recover(&lane("sonnet"), Timestamp::EPOCH)
        .await
        .unwrap()
        .day;
    assert_eq!(day, Some(count(5, 100)));
    f.store.keep_day(&lane("sonnet"), count(6, 1)).await.unwrap();
    let day = f
        .store
        .recover(&lane("sonnet"), Timestamp::EPOCH)
        .await
        .unwrap()
        .day;
    assert_eq!(day, Some(count(6, 1)));
    assert_eq!(
        f.store
            .recover(&lane("nova"), Timestamp::EPOCH)
            .await
            .unwrap()
            .day,
        None
    );
}

#[tokio::test]
async fn the_clock_is_told_of_the_newest_stored_time() {
    let f = Fixture::new();
    assert_eq!(f.opened_at, Timestamp::EPOCH);
    f.clock.0.fetch_add(5_000, std::sync::atomic::Ordering::Relaxed);
    f.insert(&request(1)).await.unwrap();
    let f = f.reopened();
    assert!(f.opened_at >= at(5_000));
    assert!(f.opened_at < at(6_000));
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_closed() {
    let f = Fixture::new();
    f.insert(&request(1)).await.unwrap();
    let reader = tokio::spawn({
        let store = f.store.clone();
        async move { store.next(0, 1).await.map(|_| ()) }
    });
    f.store.close().await.unwrap();
    assert_eq!(
        reader.await.unwrap(),
        Err(smoother_core::ports::StoreError::Closed)
    );
    assert_eq!(
        f.insert(&request(2)).await.unwrap_err(),
        smoother_core::ports::StoreError::Closed
    );
    assert_eq!(f.reopened().get(id(1)).await, request(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_comes_back_whole_and_in_order() {
    let f = Fixture::new();
    let inserts: Vec<_> = (0..5_000).map(|n| f.store.insert(new(&request(n)))).collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    assert!(found.waiting.into_iter().eq((0..5_000).map(request)));
}
