//! What a lane finds after a restart.

use super::bed::{Bed, Restart, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, cancel, claim_at, divert, id, lane, request, settlement, to_nova};
use smoother_core::call::CallEnding;
use smoother_core::ports::{DayCount, Recovered};
use smoother_core::request::OnIndeterminate;
use smoother_core::{CallNo, RequestId, State, Timestamp, Tokens};

cases! { Bed;
    waiting_requests_come_back_in_order_of_arrival,
    a_release_that_nobody_can_claim_any_more_waits_again,
    a_running_call_is_indeterminate_and_its_request_goes_by_its_policy,
    the_call_of_a_cancelled_request_is_settled_too,
    only_calls_charged_lately_come_back,
    a_diverted_request_waits_in_its_new_lane,
    the_days_counter_only_rises_within_its_day,
    a_long_queue_comes_back_whole_and_in_order,
    a_lane_that_never_was_has_nothing,
}

async fn recovered(bed: &Bed, name: &str) -> Recovered {
    bed.store.recover(&lane(name), Timestamp::EPOCH).await.unwrap()
}

fn ids(found: &Recovered) -> Vec<RequestId> {
    found.waiting.iter().map(|row| row.id).collect()
}

async fn waiting_requests_come_back_in_order_of_arrival(bed: Bed) {
    for n in [3, 1, 2, 5] {
        bed.insert(&request(n)).await.unwrap();
    }
    let mut elsewhere = request(4);
    elsewhere.lane = lane("nova");
    bed.insert(&elsewhere).await.unwrap();
    bed.change(id(5), cancel()).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    let found = recovered(&bed, "sonnet").await;
    assert_eq!(found.waiting, [request(1), request(2), request(3)]);
    assert_eq!(recovered(&bed, "nova").await.waiting, [elsewhere]);
}

async fn a_release_that_nobody_can_claim_any_more_waits_again(bed: Bed) {
    bed.insert(&request(1)).await.unwrap();
    bed.release(id(1), 1).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    let found = recovered(&bed, "sonnet").await;
    let row = &found.waiting[0];
    assert_eq!(
        (row.state, row.call, row.calls_made),
        (State::Queued, CallNo::new(1), 0)
    );
    assert_eq!(bed.get(id(1)).await, *row);
    assert!(found.calls.is_empty());
    assert!(bed.claim(id(1), 1).await.is_err(), "its release is void");
    bed.release(id(1), 2).await.unwrap();
    bed.claim(id(1), 2).await.unwrap();
}

async fn a_running_call_is_indeterminate_and_its_request_goes_by_its_policy(bed: Bed) {
    for (n, policy) in [(1, OnIndeterminate::Retry), (2, OnIndeterminate::Fail)] {
        let mut row = request(n);
        row.on_indeterminate = policy;
        bed.running(&row).await;
    }
    let bed = bed.restarted(Restart::Crash).await;
    let found = recovered(&bed, "sonnet").await;
    assert_eq!(ids(&found), [id(1)]);
    assert_eq!(bed.get(id(1)).await, found.waiting[0]);
    assert_eq!(bed.get(id(1)).await.state, State::Queued);
    assert_eq!(bed.get(id(2)).await.state, State::Failed);
    assert_eq!(found.calls.len(), 2);
    for n in [1, 2] {
        let call = bed.calls(id(n)).await.remove(0);
        assert!(found.calls.contains(&call));
        assert_eq!(call.charge(), Tokens::new(110), "charged in full");
        assert_eq!(call.settlement.unwrap().ending, CallEnding::Indeterminate);
    }
    assert_eq!(bed.untold(1).await[0].request.id, id(2));
    // The same question again finds the same.
    let again = recovered(&bed, "sonnet").await;
    assert_eq!((again.waiting, again.calls), (found.waiting, found.calls));
    // The worker was alive after all: its late end changes nothing.
    let late = bed.complete(id(1), 1, "late").await;
    assert!(late.request.is_err());
    assert_eq!(bed.calls(id(1)).await[0].charge(), Tokens::new(110));
}

async fn the_call_of_a_cancelled_request_is_settled_too(bed: Bed) {
    bed.running(&request(1)).await;
    let cancelled = bed.change(id(1), cancel()).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    let found = recovered(&bed, "sonnet").await;
    assert!(found.waiting.is_empty());
    assert_eq!(found.calls.len(), 1);
    assert_eq!(found.calls[0].charge(), Tokens::new(110));
    assert!(found.calls[0].settlement.is_some());
    assert_eq!(bed.get(id(1)).await, cancelled);
}

async fn only_calls_charged_lately_come_back(bed: Bed) {
    for n in [1, 2, 3] {
        bed.insert(&request(n)).await.unwrap();
        bed.release(id(n), 1).await.unwrap();
        bed.change(id(n), claim_at(1, n * 1_000)).await.unwrap();
        if n != 1 {
            bed.complete(id(n), 1, "answer").await;
        }
    }
    let bed = bed.restarted(Restart::Clean).await;
    let found = bed.store.recover(&lane("sonnet"), at(3_000)).await.unwrap();
    // The first is long ago, but it was open: nobody knows what it cost.
    let requests: Vec<_> = found.calls.iter().map(|call| call.request).collect();
    assert_eq!(requests, [id(1), id(3)]);
}

async fn a_diverted_request_waits_in_its_new_lane(bed: Bed) {
    let mut row = request(1);
    row.fallback = to_nova();
    bed.running(&row).await;
    bed.end(
        id(1),
        settlement(1, CallEnding::Failed, 9),
        Some(divert(Some(1))),
        None,
    )
    .await;
    let bed = bed.restarted(Restart::Crash).await;
    let (old, fresh) = (recovered(&bed, "sonnet").await, recovered(&bed, "nova").await);
    assert!(old.waiting.is_empty() && fresh.calls.is_empty());
    assert_eq!(ids(&fresh), [id(1)]);
    assert_eq!(old.calls[0].charge(), Tokens::new(9), "the old lane pays");
}

async fn the_days_counter_only_rises_within_its_day(bed: Bed) {
    let count = |day, tokens| DayCount {
        day,
        tokens: Tokens::new(tokens),
    };
    for (day, tokens) in [(5, 100), (5, 40), (4, 900)] {
        bed.store
            .keep_day(&lane("sonnet"), count(day, tokens))
            .await
            .unwrap();
    }
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(recovered(&bed, "sonnet").await.day, Some(count(5, 100)));
    bed.store.keep_day(&lane("sonnet"), count(6, 1)).await.unwrap();
    assert_eq!(recovered(&bed, "sonnet").await.day, Some(count(6, 1)));
    assert_eq!(recovered(&bed, "nova").await.day, None);
}

async fn a_long_queue_comes_back_whole_and_in_order(bed: Bed) {
    let inserts: Vec<_> = (0..2_000).map(|n| bed.store.insert(new(&request(n)))).collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let bed = bed.restarted(Restart::Crash).await;
    let found = recovered(&bed, "sonnet").await;
    assert!(found.waiting.into_iter().eq((0..2_000).map(request)));
}

async fn a_lane_that_never_was_has_nothing(bed: Bed) {
    let found = recovered(&bed, "nowhere").await;
    assert!(found.waiting.is_empty() && found.calls.is_empty() && found.day.is_none());
}
