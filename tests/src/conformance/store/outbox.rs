//! Every end is told, at least once, until it was.

use super::bed::{Bed, Restart, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, cancel, complete, fail, id, lane, request, settlement};
use smoother_core::call::CallEnding;
use smoother_core::ports::OutboxEntry;
use smoother_core::request::OnIndeterminate;
use smoother_core::{CallNo, Change, RequestId, Timestamp};
use std::collections::BTreeSet;

cases! { Bed;
    every_way_to_end_is_told_once,
    what_has_not_ended_is_not_told,
    ends_are_read_in_order_until_they_are_told,
    a_reader_waits_for_the_next_end,
    what_was_not_told_is_found_after_a_restart_and_no_number_comes_twice,
    an_end_and_its_entry_are_one_commit,
    a_reader_far_behind_misses_nothing,
    ends_begun_in_a_row_are_told_in_that_order,
}

fn ids(entries: &[OutboxEntry]) -> Vec<RequestId> {
    entries.iter().map(|entry| entry.request.id).collect()
}

async fn ended(bed: &Bed, n: u64) {
    bed.insert(&request(n)).await.unwrap();
    bed.change(id(n), cancel()).await.unwrap();
}

async fn every_way_to_end_is_told_once(bed: Bed) {
    for (n, change) in [cancel(), Change::Expire { at: at(400) }, fail(None)]
        .into_iter()
        .enumerate()
    {
        bed.insert(&request(n as u64)).await.unwrap();
        bed.change(id(n as u64), change).await.unwrap();
    }
    bed.running(&request(3)).await;
    bed.complete(id(3), 1, "answer").await.request.unwrap();
    bed.running(&request(4)).await;
    let failed = settlement(1, CallEnding::Failed, 1);
    bed.end(id(4), failed, Some(fail(Some(1))), None)
        .await
        .request
        .unwrap();
    let mut lost = request(5);
    lost.on_indeterminate = OnIndeterminate::Fail;
    bed.running(&lost).await;
    if bed.recovers() {
        bed.store
            .recover(&lane("sonnet"), Timestamp::EPOCH)
            .await
            .unwrap();
    } else {
        let call = CallNo::new(1);
        bed.change(id(5), Change::Lose { call, at: at(300) })
            .await
            .unwrap();
    }

    let entries = bed.untold(6).await;
    let told: BTreeSet<_> = ids(&entries).into_iter().collect();
    assert_eq!(told, (0..6).map(id).collect());
    for entry in entries {
        assert!(entry.request.state.is_terminal());
        assert_eq!(entry.request, bed.get(entry.request.id).await);
    }
}

async fn what_has_not_ended_is_not_told(bed: Bed) {
    bed.insert(&request(1)).await.unwrap();
    bed.running(&request(2)).await;
    assert!(bed.claim(id(1), 1).await.is_err());
    ended(&bed, 3).await;
    assert!(bed.change(id(3), cancel()).await.is_err());
    assert!(bed.complete(id(3), 1, "late").await.request.is_err());
    ended(&bed, 4).await;
    let mut told = ids(&bed.untold(2).await);
    told.sort();
    assert_eq!(told, [id(3), id(4)]);
}

async fn ends_are_read_in_order_until_they_are_told(bed: Bed) {
    for n in 0..5 {
        ended(&bed, n).await;
    }
    let first = bed.outbox.next(0, 3).await.unwrap();
    assert!(!first.is_empty() && first.len() <= 3);
    let all = bed.untold(5).await;
    assert!(all.windows(2).all(|two| two[0].seq < two[1].seq), "numbers rise");
    assert_eq!(ids(&first), ids(&all[..first.len()]));
    if bed.tells_in_order() {
        assert_eq!(ids(&all), (0..5).map(id).collect::<Vec<_>>());
    }
    // Read again and again, until they are told.
    assert_eq!(ids(&bed.untold(5).await), ids(&all));
    bed.outbox.told(all[2].seq).await.unwrap();
    assert_eq!(ids(&bed.untold(2).await), ids(&all[3..]));
    // Telling what was told before takes nothing back.
    bed.outbox.told(all[0].seq).await.unwrap();
    assert_eq!(ids(&bed.untold(2).await), ids(&all[3..]));
}

async fn a_reader_waits_for_the_next_end(bed: Bed) {
    ended(&bed, 1).await;
    let known = bed.untold(1).await[0].seq;
    bed.outbox.told(known).await.unwrap();
    for (n, after) in [(2, 0), (3, known)] {
        let outbox = bed.outbox.clone();
        let waiting = tokio::spawn(async move { outbox.next(after, 10).await.unwrap() });
        tokio::task::yield_now().await;
        ended(&bed, n).await;
        let entries = waiting.await.unwrap();
        assert_eq!(ids(&entries), [id(n)]);
        bed.outbox.told(entries[0].seq).await.unwrap();
    }
}

async fn what_was_not_told_is_found_after_a_restart_and_no_number_comes_twice(bed: Bed) {
    for n in 0..3 {
        ended(&bed, n).await;
    }
    let entries = bed.untold(3).await;
    bed.outbox.told(entries[0].seq).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    let again = bed.untold(2).await;
    let numbers = |entries: &[OutboxEntry]| entries.iter().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(numbers(&again), numbers(&entries[1..]));
    assert_eq!(ids(&again), ids(&entries[1..]));
    let last = again[1].seq;
    bed.outbox.told(last).await.unwrap();

    // A number that came again would be passed over by whoever reads on from the last one.
    let bed = bed.restarted(Restart::Clean).await;
    ended(&bed, 9).await;
    let fresh = bed.untold(1).await;
    assert_eq!(ids(&fresh), [id(9)]);
}

async fn an_end_and_its_entry_are_one_commit(bed: Bed) {
    let mut bed = bed;
    for round in 0..5 {
        let ids = || (0..8).map(|n| id(round * 100 + n));
        for n in 0..8 {
            bed.running(&request(round * 100 + n)).await;
        }
        // Under way when the process dies: some are durable then and some are not.
        for id in ids() {
            let settled = settlement(1, CallEnding::Completed, 70);
            drop(bed.store.end(id, settled, Some(complete(1)), None));
        }
        tokio::task::yield_now().await;
        bed = bed.restarted(Restart::Crash).await;
        let mut over = BTreeSet::new();
        for id in ids() {
            if bed.get(id).await.state.is_terminal() {
                over.insert(id);
                assert!(bed.calls(id).await[0].settlement.is_some());
            } else {
                assert!(bed.calls(id).await[0].settlement.is_none());
                bed.change(id, cancel()).await.unwrap();
            }
        }
        let entries = bed.untold(8).await;
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry.request.id)
                .collect::<BTreeSet<_>>(),
            ids().collect()
        );
        bed.outbox.told(entries[7].seq).await.unwrap();
    }
}

async fn a_reader_far_behind_misses_nothing(bed: Bed) {
    const MANY: u64 = 1_500;
    let inserts: Vec<_> = (0..MANY).map(|n| bed.store.insert(new(&request(n)))).collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let ends: Vec<_> = (0..MANY).map(|n| bed.store.change(id(n), cancel())).collect();
    for end in ends {
        end.await.unwrap();
    }
    let (mut after, mut seen) = (0, Vec::new());
    while u64::try_from(seen.len()).unwrap() < MANY {
        for entry in bed.outbox.next(after, 70).await.unwrap() {
            assert!(entry.seq > after);
            after = entry.seq;
            seen.push(entry.request.id);
        }
    }
    seen.sort();
    assert_eq!(seen, (0..MANY).map(id).collect::<Vec<_>>());
}

async fn ends_begun_in_a_row_are_told_in_that_order(bed: Bed) {
    if !(bed.store.commits_in_order() && bed.tells_in_order()) {
        return;
    }
    // Not in the order of arrival, and all of it under way at once.
    let mut writes = Vec::new();
    for n in [4, 3, 9] {
        drop(bed.store.insert(new(&request(n))));
    }
    for n in [3, 9, 4] {
        writes.push(bed.store.change(id(n), cancel()));
        drop(bed.store.insert(new(&request(n + 100))));
    }
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(ids(&bed.untold(3).await), [id(3), id(9), id(4)]);
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(ids(&bed.untold(3).await), [id(3), id(9), id(4)]);
}
