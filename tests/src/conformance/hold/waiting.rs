//! What waits is found: by the registry, by due time, and by the time for which it waits.

use super::{Stand, sonnet};
use crate::conformance::suite::cases;
use crate::conformance::words::{
    at, cancel, claim, divert, id, lane, release, request, requeue, settlement, tenant, to_nova,
};
use smoother_core::call::CallEnding;
use smoother_core::ports::{Backlogged, Counted, Heads};
use smoother_core::scheduler::Waiting;
use smoother_core::{CallNo, Change, LaneId, Millis, Priority, Request, RequestId};

cases! { Stand;
    what_is_stored_is_found,
    heads_come_by_due_time_and_page_by_page,
    tenants_and_bands_wait_apart,
    what_goes_waits_no_more,
    what_comes_back_waits_again,
    what_waits_for_its_time_is_found_by_it,
    what_waits_for_its_time_is_found_until_it_goes,
    a_lane_has_what_came_to_it,
    an_entry_that_was_put_again_stays,
}

pub(super) async fn heads_of(stand: &Stand, lane: &LaneId, priority: Priority, name: &str) -> Vec<Waiting> {
    let heads = stand
        .hold
        .heads(lane, priority, &tenant(name), None, 100)
        .await
        .unwrap();
    assert_eq!(heads.next, None);
    heads.waiting
}

async fn acme(stand: &Stand) -> Vec<RequestId> {
    ids(&heads_of(stand, &sonnet(), Priority::Normal, "acme").await)
}

pub(super) fn ids(waiting: &[Waiting]) -> Vec<RequestId> {
    waiting.iter().map(|one| one.id).collect()
}

/// Looks until these wait in band normal of tenant acme.
pub(super) async fn until(stand: &Stand, wanted: &[u64]) {
    let wanted: Vec<RequestId> = wanted.iter().map(|n| id(*n)).collect();
    stand
        .until(|| async { (acme(stand).await == wanted).then_some(()) })
        .await;
}

pub(super) async fn registered(stand: &Stand, of: &LaneId) -> Vec<Backlogged> {
    stand.hold.backlog(of).await.unwrap()
}

async fn what_is_stored_is_found(stand: Stand) {
    assert_eq!(registered(&stand, &sonnet()).await, []);
    let mut row = request(1);
    row.deadline = Some(at(90_000));
    stand.insert(&row).await;
    let entries = registered(&stand, &sonnet()).await;
    assert_eq!(entries.len(), 1, "without any lag: {entries:?}");
    assert_eq!(
        (entries[0].priority, &entries[0].tenant),
        (row.priority, &row.tenant)
    );
    until(&stand, &[1]).await;
    let found = heads_of(&stand, &sonnet(), Priority::Normal, "acme").await;
    assert_eq!(found, [Waiting::priced(&row, 1)]);
}

async fn heads_come_by_due_time_and_page_by_page(stand: Stand) {
    // Due in the order 4, 3, 2, 1, 0, although they came in the other one.
    for n in 0..5 {
        let mut row = request(n);
        row.deadline = Some(at(100_000 - n * 1_000));
        stand.insert(&row).await;
    }
    until(&stand, &[4, 3, 2, 1, 0]).await;
    let count = async |name| {
        let counted = stand.hold.count(&sonnet(), Priority::Normal, &tenant(name)).await;
        counted.unwrap()
    };
    let last_due = Some(at(100_000));
    assert_eq!(
        count("acme").await,
        Counted {
            requests: 5,
            last_due
        }
    );
    assert_eq!(count("other").await, Counted::default());
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let Heads { waiting, next } = stand
            .hold
            .heads(&sonnet(), Priority::Normal, &tenant("acme"), after, 2)
            .await
            .unwrap();
        assert!(waiting.len() <= 2);
        seen.extend(ids(&waiting));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [4, 3, 2, 1, 0].map(id));
}

async fn tenants_and_bands_wait_apart(stand: Stand) {
    let of = |n, name: &str, priority| Request {
        tenant: tenant(name),
        priority,
        ..request(n)
    };
    stand.insert(&of(1, "acme", Priority::Normal)).await;
    stand.insert(&of(2, "acme", Priority::Batch)).await;
    stand.insert(&of(3, "other", Priority::Normal)).await;
    until(&stand, &[1]).await;
    let heads = |priority, name| {
        let stand = &stand;
        async move {
            let found = heads_of(stand, &sonnet(), priority, name).await;
            (!found.is_empty()).then(|| ids(&found))
        }
    };
    assert_eq!(stand.until(|| heads(Priority::Batch, "acme")).await, [id(2)]);
    assert_eq!(stand.until(|| heads(Priority::Normal, "other")).await, [id(3)]);
    let mut entries: Vec<_> = registered(&stand, &sonnet()).await;
    entries.sort();
    let who: Vec<_> = entries
        .iter()
        .map(|entry| (entry.priority, entry.tenant.as_str()))
        .collect();
    let all = [
        (Priority::Normal, "acme"),
        (Priority::Normal, "other"),
        (Priority::Batch, "acme"),
    ];
    assert_eq!(who, all);
}

async fn what_goes_waits_no_more(stand: Stand) {
    for n in 1..=3 {
        stand.insert(&request(n)).await;
    }
    until(&stand, &[1, 2, 3]).await;
    stand.store.change(id(1), release(1)).await.unwrap();
    stand.store.change(id(2), cancel()).await.unwrap();
    until(&stand, &[3]).await;
}

async fn what_comes_back_waits_again(stand: Stand) {
    stand.insert(&request(1)).await;
    stand.store.change(id(1), release(1)).await.unwrap();
    until(&stand, &[]).await;
    let lapse = Change::Lapse {
        call: CallNo::new(1),
        at: at(20_001),
    };
    stand.store.change(id(1), lapse).await.unwrap();
    until(&stand, &[1]).await;
    let void = Change::Void { call: CallNo::new(2) };
    let row = stand.store.change(id(1), void).await.unwrap();
    assert_eq!(row.call, CallNo::new(2));
    let now_numbered = |found: Vec<Waiting>| found.first().is_some_and(|one| one.last_call == row.call);
    stand
        .until(|| async {
            let found = heads_of(&stand, &sonnet(), Priority::Normal, "acme").await;
            now_numbered(found).then_some(())
        })
        .await;
}

/// RUNNING, and back by a requeue that does not let it go before 500 ms after the beginning.
pub(super) async fn snoozed(stand: &Stand, n: u64) {
    stand.insert(&request(n)).await;
    stand.store.change(id(n), release(1)).await.unwrap();
    stand.store.change(id(n), claim(1)).await.unwrap();
    let settled = settlement(1, CallEnding::Failed, 9);
    let report = stand
        .store
        .end(id(n), settled, Some(requeue(1)), None)
        .await
        .unwrap();
    report.request.unwrap();
}

async fn due(stand: &Stand, ms: u64) -> Vec<RequestId> {
    let found = stand.hold.due(&sonnet(), at(ms), None, 100).await.unwrap();
    assert_eq!(found.next, None);
    ids(&found.waiting)
}

async fn what_waits_for_its_time_is_found_by_it(stand: Stand) {
    for n in 1..=3 {
        snoozed(&stand, n).await;
    }
    stand
        .until(|| async { (due(&stand, 500).await.len() == 3).then_some(()) })
        .await;
    assert_eq!(due(&stand, 499).await, []);
    until(&stand, &[]).await;
    let found = stand.hold.due(&sonnet(), at(500), None, 2).await.unwrap();
    let rest = stand.hold.due(&sonnet(), at(500), found.next, 2).await.unwrap();
    assert_eq!((found.waiting.len(), rest.waiting.len(), rest.next), (2, 1, None));
    let first = &found.waiting[0];
    assert_eq!(
        (first.not_before, first.last_call),
        (Some(at(500)), CallNo::new(1))
    );
}

async fn what_waits_for_its_time_is_found_until_it_goes(stand: Stand) {
    snoozed(&stand, 1).await;
    stand
        .until(|| async { (due(&stand, 900_000).await == [id(1)]).then_some(()) })
        .await;
    stand.store.change(id(1), release(2)).await.unwrap();
    stand
        .until(|| async { due(&stand, 900_000).await.is_empty().then_some(()) })
        .await;
}

async fn a_lane_has_what_came_to_it(stand: Stand) {
    let mut row = request(1);
    row.fallback = to_nova();
    stand.insert(&row).await;
    stand.store.change(id(1), divert(None)).await.unwrap();
    let nova = lane("nova");
    let entries = registered(&stand, &nova).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    stand
        .until(|| async {
            let found = heads_of(&stand, &lane("nova"), Priority::Normal, "acme").await;
            (ids(&found) == [id(1)]).then_some(())
        })
        .await;
    until(&stand, &[]).await;
}

async fn an_entry_that_was_put_again_stays(stand: Stand) {
    stand.insert(&request(1)).await;
    let entry = registered(&stand, &sonnet()).await.remove(0);
    let older = Backlogged {
        at: entry.at.before(Millis::new(1)),
        ..entry.clone()
    };
    stand.hold.forget_backlog(&sonnet(), older).await.unwrap();
    assert_eq!(registered(&stand, &sonnet()).await, std::slice::from_ref(&entry));
    stand.hold.forget_backlog(&sonnet(), entry.clone()).await.unwrap();
    assert_eq!(registered(&stand, &sonnet()).await, []);
    // To forget it once more is no mistake.
    stand.hold.forget_backlog(&sonnet(), entry).await.unwrap();
}
