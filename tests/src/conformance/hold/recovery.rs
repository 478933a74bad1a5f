//! What the next holder of a lane finds of its predecessor's: releases that may be claimed, calls under way, and
//! where its reading of what waits has come.

use super::waiting::{heads_of, ids, registered, snoozed, until};
use super::{Stand, sonnet};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, cancel, claim, complete, id, release, request, settlement, tenant};
use smoother_core::call::{Call, CallEnding};
use smoother_core::ports::{ChangeError, Heads};
use smoother_core::{
    CallNo, Change, Door, Failure, Priority, Refused, Request, RequestId, State, Timestamp, Tokens,
};

cases! { Stand;
    a_release_is_found_by_its_row,
    a_release_made_void_is_not_recorded_any_more,
    a_call_under_way_is_found_open,
    a_lost_call_is_settled_once_and_its_request_waits_again,
    the_open_call_of_a_cancelled_request_is_settled_too,
    whoever_sends_a_request_back_into_line_registers_it,
    a_reading_goes_on_behind_what_has_gone,
    a_reading_of_those_whose_time_comes_goes_on_later,
    all_who_are_due_at_one_moment_are_read,
}

const FIRST: CallNo = CallNo::new(1);

const fn lapse(at: Timestamp) -> Change {
    Change::Lapse { call: FIRST, at }
}

const fn lose(at: Timestamp) -> Change {
    Change::Lose { call: FIRST, at }
}

async fn claimed(stand: &Stand, row: &Request) {
    stand.insert(row).await;
    stand.store.change(row.id, release(1)).await.unwrap();
    stand.store.change(row.id, claim(1)).await.unwrap();
}

/// The one call of request 1, as the other process reads it.
async fn only_call(stand: &Stand) -> Call {
    let calls = stand.other.calls(id(1)).await.unwrap();
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.into_iter().next().unwrap()
}

async fn is_lost(stand: &Stand) -> Result<Request, ChangeError> {
    let settled = settlement(1, CallEnding::Indeterminate, 110);
    let report = stand
        .other
        .end(id(1), settled, Some(lose(at(9_000))), None)
        .await
        .unwrap();
    report.request
}

async fn a_release_is_found_by_its_row(stand: Stand) {
    stand.insert(&request(1)).await;
    stand.store.change(id(1), release(1)).await.unwrap();
    let row = stand.other.get(id(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.call), (State::Released, FIRST));
    assert_eq!((row.start_by, row.reserved), (Some(at(20_000)), Tokens::new(110)));
    assert_eq!(
        stand.other.calls(id(1)).await.unwrap(),
        [],
        "nobody has claimed it"
    );
    let early = stand.other.change(id(1), lapse(at(20_000))).await;
    assert!(
        matches!(early, Err(ChangeError::Refused(Refused::Early { .. }))),
        "{early:?}"
    );
    stand.other.change(id(1), lapse(at(20_001))).await.unwrap();
    let late = stand.store.change(id(1), claim(1)).await;
    assert!(matches!(late, Err(ChangeError::Refused(_))), "{late:?}");
    // Its number is spent.
    stand
        .until(|| async {
            let found = heads_of(&stand, &sonnet(), Priority::Normal, "acme").await;
            found.iter().any(|one| one.last_call == FIRST).then_some(())
        })
        .await;
}

async fn a_release_made_void_is_not_recorded_any_more(stand: Stand) {
    stand.insert(&request(1)).await;
    stand
        .other
        .change(id(1), Change::Void { call: FIRST })
        .await
        .unwrap();
    let late = stand.store.change(id(1), release(1)).await;
    assert!(
        matches!(late, Err(ChangeError::Refused(Refused::Call { .. }))),
        "{late:?}"
    );
    let row = stand.other.get(id(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.call), (State::Queued, FIRST));
    stand.store.change(id(1), release(2)).await.unwrap();
}

async fn a_call_under_way_is_found_open(stand: Stand) {
    claimed(&stand, &request(1)).await;
    let row = stand.other.get(id(1)).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.call, row.started_at),
        (State::Running, FIRST, Some(at(200)))
    );
    let call = only_call(&stand).await;
    assert_eq!((call.number, call.lane.clone()), (FIRST, sonnet()));
    assert_eq!((call.charged_at, call.reserved), (at(200), Tokens::new(110)));
    assert!(call.settlement.is_none(), "{call:?}");
}

async fn a_lost_call_is_settled_once_and_its_request_waits_again(stand: Stand) {
    claimed(&stand, &request(1)).await;
    assert_eq!(is_lost(&stand).await.unwrap().state, State::Queued);
    let settled = settlement(1, CallEnding::Completed, 9);
    let late = stand
        .store
        .end(id(1), settled, Some(complete(1)), None)
        .await
        .unwrap();
    assert!(matches!(late.request, Err(ChangeError::Refused(_))), "{late:?}");
    // Asked for once more, nothing comes of it either.
    assert!(is_lost(&stand).await.is_err());
    let settlement = only_call(&stand).await.settlement.unwrap();
    assert_eq!(
        (settlement.ending, settlement.charged),
        (CallEnding::Indeterminate, Tokens::new(110))
    );
    until(&stand, &[1]).await;
}

async fn the_open_call_of_a_cancelled_request_is_settled_too(stand: Stand) {
    claimed(&stand, &request(1)).await;
    stand.store.change(id(1), cancel()).await.unwrap();
    assert!(only_call(&stand).await.settlement.is_none());
    let row = is_lost(&stand).await;
    assert!(matches!(row, Err(ChangeError::Refused(_))), "{row:?}");
    let settlement = only_call(&stand).await.settlement.unwrap();
    assert_eq!(settlement.ending, CallEnding::Indeterminate);
    let row = stand.other.get(id(1)).await.unwrap().unwrap();
    assert_eq!(row.state, State::Cancelled);
}

/// An upstream's fault, so that a job becomes a dead letter by it.
fn fail() -> Change {
    let failure = Failure {
        kind: None,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message: "no".to_owned(),
        headers: Vec::new(),
    };
    Change::Fail {
        call: None,
        failure,
        at: at(300),
    }
}

async fn whoever_sends_a_request_back_into_line_registers_it(stand: Stand) {
    let ways: [(&[Change], Change); 4] = [
        (&[], Change::Void { call: FIRST }),
        (&[release(1)], lapse(at(20_001))),
        (&[release(1), claim(1)], lose(at(9_000))),
        (&[fail()], Change::Redrive),
    ];
    for (n, (road, back)) in (1..).zip(ways) {
        let row = Request {
            tenant: tenant(&format!("t{n}")),
            door: Door::Job,
            ..request(n)
        };
        stand.insert(&row).await;
        for change in road {
            stand.store.change(row.id, change.clone()).await.unwrap();
        }
        // Its entry is gone, as if nothing had waited for long; the other process has never put it.
        for entry in registered(&stand, &sonnet()).await {
            stand.hold.forget_backlog(&sonnet(), entry).await.unwrap();
        }
        stand.other.change(row.id, back.clone()).await.unwrap();
        let entries = registered(&stand, &sonnet()).await;
        let named = entries.iter().any(|entry| entry.tenant == row.tenant);
        assert!(named, "after {back:?}: {entries:?}");
    }
}

async fn page(stand: &Stand, after: Option<String>) -> (Vec<RequestId>, Option<String>) {
    let acme = tenant("acme");
    let Heads { waiting, next } = stand
        .hold
        .heads(&sonnet(), Priority::Normal, &acme, after, 2)
        .await
        .unwrap();
    (ids(&waiting), next)
}

async fn a_reading_goes_on_behind_what_has_gone(stand: Stand) {
    for n in 1..=6 {
        stand.insert(&request(n)).await;
    }
    until(&stand, &[1, 2, 3, 4, 5, 6]).await;
    let (first, next) = page(&stand, None).await;
    assert_eq!(first, [1, 2].map(id));
    for gone in [1, 2, 3] {
        stand.store.change(id(gone), release(1)).await.unwrap();
    }
    until(&stand, &[4, 5, 6]).await;
    let (second, next) = page(&stand, next).await;
    assert_eq!(second, [4, 5].map(id));
    assert_eq!(page(&stand, next).await.0, [id(6)]);
}

async fn a_reading_of_those_whose_time_comes_goes_on_later(stand: Stand) {
    let due = async |after: Option<String>, limit| {
        let found = stand.hold.due(&sonnet(), at(500), after, limit).await.unwrap();
        (ids(&found.waiting), found.next)
    };
    let shows = async |wanted: &[u64]| {
        let wanted: Vec<RequestId> = wanted.iter().map(|n| id(*n)).collect();
        stand
            .until(|| async { (due(None, 100).await.0 == wanted).then_some(()) })
            .await;
    };
    for n in 1..=3 {
        snoozed(&stand, n).await;
    }
    shows(&[1, 2, 3]).await;
    let (first, next) = due(None, 2).await;
    assert_eq!(first, [1, 2].map(id));
    stand.store.change(id(2), release(2)).await.unwrap();
    snoozed(&stand, 4).await;
    shows(&[1, 3, 4]).await;
    assert_eq!(due(next, 100).await.0, [3, 4].map(id));
}

async fn all_who_are_due_at_one_moment_are_read(stand: Stand) {
    for n in 1..=5 {
        let mut row = request(n);
        row.deadline = Some(at(90_000));
        stand.insert(&row).await;
    }
    stand
        .until(|| async {
            let found = heads_of(&stand, &sonnet(), Priority::Normal, "acme").await;
            (found.len() == 5).then_some(())
        })
        .await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (found, next) = page(&stand, after).await;
        seen.extend(found);
        after = next;
        if after.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5].map(id));
}
