//! Every change is made exactly where the lifecycle allows it, and nowhere else.

use super::bed::{Bed, Restart};
use crate::conformance::suite::cases;
use crate::conformance::words::{
    at, cancel, claim, claim_at, every_change, fail, id, release, request, requeue,
};
use smoother_core::lifecycle::{Refused, apply};
use smoother_core::ports::ChangeError;
use smoother_core::request::OnIndeterminate;
use smoother_core::{CallNo, Change, Request, State};
use tokio::task::JoinSet;

cases! { Bed;
    every_change_in_every_state_does_what_the_lifecycle_says,
    an_unknown_request_is_not_found_and_not_made,
    each_call_number_is_claimed_once_whoever_asks,
    a_release_is_void_after_its_time,
    an_old_release_cannot_be_claimed,
    of_many_ends_one_stands,
    the_fence_holds_over_a_restart,
}

/// The changes that lead to each state a row can stand in after it was stored.
fn roads() -> Vec<(State, Vec<Change>)> {
    vec![
        (State::Queued, vec![]),
        (State::Released, vec![release(1)]),
        (State::Running, vec![release(1), claim(1)]),
        (State::Queued, vec![release(1), claim(1), requeue(1)]),
        (
            State::Running,
            vec![release(1), claim(1), requeue(1), release(2), claim(2)],
        ),
        (State::Failed, vec![fail(None)]),
        (State::Cancelled, vec![release(1), cancel()]),
        (State::Expired, vec![Change::Expire { at: at(400) }]),
    ]
}

async fn every_change_in_every_state_does_what_the_lifecycle_says(bed: Bed) {
    let mut n = 0;
    for (state, road) in roads() {
        for call in 0..=3 {
            for change in every_change(call) {
                n += 1;
                let mut row = request(n);
                if n % 2 == 0 {
                    row.on_indeterminate = OnIndeterminate::Fail;
                }
                let row = walked(&bed, &row, &road).await;
                assert_eq!(row.state, state);
                let expected = apply(&row, &change);
                let said = bed.change(row.id, change.clone()).await;
                assert_eq!(said, expected.clone().map_err(ChangeError::Refused), "{change:?}");
                let after = bed.get(row.id).await;
                assert_eq!(after, expected.unwrap_or(row), "{change:?} in {state}");
            }
        }
    }
}

/// A new row at the end of this road; its writes are begun together where the store keeps their order.
async fn walked(bed: &Bed, row: &Request, road: &[Change]) -> Request {
    let mut last = row.clone();
    if !bed.store.commits_in_order() {
        bed.insert(row).await.unwrap();
        for change in road {
            last = bed.change(row.id, change.clone()).await.unwrap();
        }
        return last;
    }
    let insert = bed.store.insert(super::bed::new(row));
    let steps: Vec<_> = road
        .iter()
        .map(|change| bed.store.change(row.id, change.clone()))
        .collect();
    insert.await.unwrap();
    for step in steps {
        last = step.await.unwrap();
    }
    last
}

async fn an_unknown_request_is_not_found_and_not_made(bed: Bed) {
    for change in every_change(1) {
        let said = bed.change(id(9), change).await;
        assert_eq!(said, Err(ChangeError::NotFound(id(9))));
    }
    assert_eq!(bed.store.get(id(9)).await.unwrap(), None);
    assert!(bed.calls(id(9)).await.is_empty());
}

async fn each_call_number_is_claimed_once_whoever_asks(bed: Bed) {
    let mut claims = JoinSet::new();
    for n in 0..50 {
        bed.insert(&request(n)).await.unwrap();
        bed.release(id(n), 1).await.unwrap();
        for rival in 0..4 {
            let store = bed.store.clone();
            claims.spawn(async move { store.change(id(n), claim_at(1, 200 + rival)).await });
        }
    }
    let claims = claims.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = claims.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (50, 150));
    for refused in lost {
        assert!(
            matches!(refused, Err(ChangeError::Refused(Refused::State { .. }))),
            "{refused:?}"
        );
    }
    for winner in won {
        let winner = winner.unwrap();
        assert_eq!(bed.get(winner.id).await, winner);
        let calls = bed.calls(winner.id).await;
        assert_eq!(calls.len(), 1);
        assert_eq!(Some(calls[0].charged_at), winner.started_at);
    }
}

async fn a_release_is_void_after_its_time(bed: Bed) {
    bed.insert(&request(1)).await.unwrap();
    let released = bed.release(id(1), 1).await.unwrap();
    let late = bed.change(id(1), claim_at(1, 20_001)).await;
    assert!(matches!(late, Err(ChangeError::Refused(Refused::Late { .. }))));
    assert_eq!(bed.get(id(1)).await, released);
    assert!(bed.calls(id(1)).await.is_empty());
    let lapse = Change::Lapse {
        call: CallNo::new(1),
        at: at(20_001),
    };
    assert_eq!(bed.change(id(1), lapse).await.unwrap().state, State::Queued);
    assert!(bed.change(id(1), claim(1)).await.is_err());
}

async fn an_old_release_cannot_be_claimed(bed: Bed) {
    bed.running(&request(1)).await;
    bed.change(id(1), requeue(1)).await.unwrap();
    bed.release(id(1), 2).await.unwrap();
    let stale = bed.claim(id(1), 1).await;
    assert!(
        matches!(stale, Err(ChangeError::Refused(Refused::Call { .. }))),
        "{stale:?}"
    );
    assert_eq!(bed.claim(id(1), 2).await.unwrap().calls_made, 2);
    let numbers: Vec<_> = bed
        .calls(id(1))
        .await
        .iter()
        .map(|call| call.number.get())
        .collect();
    assert_eq!(numbers, [1, 2]);
}

async fn of_many_ends_one_stands(bed: Bed) {
    for n in 0..20 {
        bed.running(&request(n)).await;
        let mut ends = JoinSet::new();
        for change in [cancel(), Change::Expire { at: at(401) }, fail(Some(1)), cancel()] {
            let store = bed.store.clone();
            ends.spawn(async move { store.change(id(n), change).await });
        }
        let won: Vec<_> = ends.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(bed.get(id(n)).await, won[0]);
    }
    bed.untold(20).await;
}

async fn the_fence_holds_over_a_restart(bed: Bed) {
    bed.insert(&request(1)).await.unwrap();
    bed.release(id(1), 1).await.unwrap();
    let claimed = bed.claim(id(1), 1).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    assert!(bed.claim(id(1), 1).await.is_err());
    assert_eq!(bed.get(id(1)).await, claimed);
}
