//! Writes begin when they are asked for, and end in order where that is promised.

use super::bed::{Bed, Restart, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, claim, id, release, request};
use smoother_core::ports::Inserted;
use smoother_core::{Door, State};

cases! { Bed;
    a_write_that_nobody_awaits_is_made_all_the_same,
    what_was_answered_can_be_read,
    writes_begun_in_a_row_are_made_in_that_order,
    a_crash_leaves_a_beginning_of_what_was_begun,
}

async fn a_write_that_nobody_awaits_is_made_all_the_same(bed: Bed) {
    drop(bed.store.insert(new(&request(1))));
    if bed.store.commits_in_order() {
        drop(bed.store.change(id(1), release(1)));
        // It comes after them, and nothing holds them up.
        bed.insert(&request(2)).await.unwrap();
        assert_eq!(bed.get(id(1)).await.state, State::Released);
    } else {
        let bed = bed.restarted(Restart::Clean).await;
        assert_eq!(bed.get(id(1)).await, request(1));
    }
}

async fn what_was_answered_can_be_read(bed: Bed) {
    for n in 0..30 {
        let mut row = request(n);
        row.door = if n % 2 == 0 { Door::Sync } else { Door::Job };
        bed.insert(&row).await.unwrap();
        assert_eq!(bed.get(row.id).await, row);
        let released = bed.release(row.id, 1).await.unwrap();
        assert_eq!(bed.get(row.id).await, released);
        let claimed = bed.claim(row.id, 1).await.unwrap();
        assert_eq!(bed.get(row.id).await, claimed);
        assert_eq!(bed.calls(row.id).await.len(), 1);
        let ended = bed.complete(row.id, 1, "answer").await.request.unwrap();
        assert_eq!(bed.get(row.id).await, ended);
    }
}

async fn writes_begun_in_a_row_are_made_in_that_order(bed: Bed) {
    if !bed.store.commits_in_order() {
        return;
    }
    for n in 0..50 {
        let inserted = bed.store.insert(new(&request(n)));
        let released = bed.store.change(id(n), release(1));
        let claimed = bed.store.change(id(n), claim(1));
        let again = bed.store.change(id(n), claim(1));
        // Awaited the other way round: beginning is what counts.
        assert!(again.await.is_err());
        assert_eq!(claimed.await.unwrap().state, State::Running);
        assert_eq!(released.await.unwrap().state, State::Released);
        assert!(matches!(inserted.await.unwrap(), Inserted::Fresh));
    }
}

async fn a_crash_leaves_a_beginning_of_what_was_begun(bed: Bed) {
    if !bed.store.commits_in_order() {
        return;
    }
    let mut bed = bed;
    for round in 0..10u64 {
        let ids = || (0..10).map(|n| round * 100 + n);
        for n in ids() {
            drop(bed.store.insert(new(&request(n))));
            drop(bed.store.change(id(n), release(1)));
            drop(bed.store.change(id(n), claim(1)));
        }
        bed = bed.restarted(Restart::Crash).await;
        for n in ids() {
            let found = bed.store.get(id(n)).await.unwrap();
            let state = found.map(|row| row.state);
            assert!(
                matches!(
                    state,
                    None | Some(State::Queued | State::Released | State::Running)
                ),
                "{n}: {state:?}"
            );
            let claimed = usize::from(state == Some(State::Running));
            assert_eq!(bed.calls(id(n)).await.len(), claimed, "{n}: {state:?}");
        }
        let mut marker = request(round * 100 + 50);
        marker.arrived_at = at(round);
        bed.insert(&marker).await.unwrap();
    }
}
