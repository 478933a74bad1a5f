//! A request comes in once, whoever brings it and however often.

use super::bed::{Bed, Restart, body_of, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, cancel, id, request, tenant};
use smoother_core::ports::{Inserted, PayloadKind, PayloadRef};
use smoother_core::request::{OnDisconnect, OnIndeterminate};
use smoother_core::{Door, Priority, RequestId, State};
use tokio::task::JoinSet;

cases! { Bed;
    a_row_reads_back_as_it_was_written,
    the_same_body_joins_and_another_is_a_conflict,
    of_many_that_bring_one_id_one_is_fresh,
    of_many_bodies_under_one_id_one_wins_and_keeps_its_body,
    one_key_of_two_tenants_names_two_requests,
    what_was_acknowledged_survives_a_crash,
}

async fn a_row_reads_back_as_it_was_written(bed: Bed) {
    let mut row = request(1);
    row.priority = Priority::Batch;
    row.door = Door::Job;
    row.deadline = Some(at(86_400_000));
    row.latest_start = Some(at(1_000));
    row.body_hash = [0x00, 0x0f, 0x80, 0xff].repeat(8).try_into().unwrap();
    row.body_bytes = u64::from(u32::MAX) + 1;
    row.on_disconnect = OnDisconnect::Finish;
    row.on_indeterminate = OnIndeterminate::Fail;
    let odd = "ключ 鍵 🔑 \"'\\\u{0}\n".repeat(300);
    row.headers = vec![("x-odd".to_owned(), odd), (String::new(), String::new())];
    let plain = request(2);
    for row in [&row, &plain] {
        assert!(matches!(bed.insert(row).await.unwrap(), Inserted::Fresh));
        assert_eq!(bed.get(row.id).await, *row);
    }
    assert_eq!(bed.store.get(id(3)).await.unwrap(), None);
    let bed = bed.restarted(Restart::Clean).await;
    for row in [&row, &plain] {
        assert_eq!(bed.get(row.id).await, *row);
    }
}

async fn the_same_body_joins_and_another_is_a_conflict(bed: Bed) {
    let row = request(1);
    bed.insert(&row).await.unwrap();
    let released = bed.release(row.id, 1).await.unwrap();
    let mut other = request(1);
    other.body_hash = [2; 32];
    other.priority = Priority::Interactive;
    let offered = || {
        let mut offered = new(&other);
        offered.body = PayloadRef::Inline("another body".into());
        offered
    };
    let Inserted::Same(known) = bed.insert(&row).await.unwrap() else {
        panic!("the same body joins");
    };
    assert_eq!(*known, released);
    assert!(matches!(
        bed.store.insert(offered()).await.unwrap(),
        Inserted::Conflict
    ));
    assert_eq!(bed.get(row.id).await, released);

    // The same once it has ended, and in the next process.
    let ended = bed.change(row.id, cancel()).await.unwrap();
    let bed = bed.restarted(Restart::Crash).await;
    let Inserted::Same(known) = bed.insert(&row).await.unwrap() else {
        panic!("the same body joins");
    };
    assert_eq!(*known, ended);
    assert!(matches!(
        bed.store.insert(offered()).await.unwrap(),
        Inserted::Conflict
    ));
    let body = bed.payloads.fetch(row.id, PayloadKind::Body).await.unwrap();
    assert_eq!(body.unwrap(), body_of(row.id));
}

async fn of_many_that_bring_one_id_one_is_fresh(bed: Bed) {
    for n in 0..20 {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let insert = bed.store.insert(new(&request(n)));
            tasks.spawn(async move { matches!(insert.await.unwrap(), Inserted::Fresh) });
        }
        let fresh = tasks.join_all().await.into_iter().filter(|fresh| *fresh).count();
        assert_eq!(fresh, 1, "request {n}");
        assert_eq!(bed.get(id(n)).await, request(n));
    }
}

async fn of_many_bodies_under_one_id_one_wins_and_keeps_its_body(bed: Bed) {
    for n in 0..20 {
        let mut tasks = JoinSet::new();
        for body in 0..8u8 {
            let mut offered = new(&request(n));
            offered.request.body_hash = [body; 32];
            offered.body = PayloadRef::Inline(vec![body; 10].into());
            let store = bed.store.clone();
            tasks.spawn(async move { (body, store.insert(offered).await.unwrap()) });
        }
        let mut fresh = Vec::new();
        for (body, outcome) in tasks.join_all().await {
            match outcome {
                Inserted::Fresh => fresh.push(body),
                Inserted::Conflict => {}
                Inserted::Same(_) => panic!("{body} is nobody else's body"),
            }
        }
        assert_eq!(fresh.len(), 1);
        assert_eq!(bed.get(id(n)).await.body_hash, [fresh[0]; 32]);
        let body = bed.payloads.fetch(id(n), PayloadKind::Body).await.unwrap();
        assert_eq!(body.unwrap(), vec![fresh[0]; 10]);
    }
}

async fn one_key_of_two_tenants_names_two_requests(bed: Bed) {
    let of = |name: &str| {
        let mut row = request(1);
        row.tenant = tenant(name);
        row.id = RequestId::keyed(&row.tenant, "order-1");
        row
    };
    let (acme, umbrella) = (of("acme"), of("umbrella"));
    for row in [&acme, &umbrella] {
        assert!(matches!(bed.insert(row).await.unwrap(), Inserted::Fresh));
    }
    bed.change(acme.id, cancel()).await.unwrap();
    assert_eq!(bed.get(umbrella.id).await, umbrella);
}

async fn what_was_acknowledged_survives_a_crash(bed: Bed) {
    let mut bed = bed;
    for n in 0..6 {
        bed.running(&request(n)).await;
        if n % 2 == 0 {
            bed.complete(id(n), 1, "answer").await.request.unwrap();
        }
        // Begun and not waited for: it may be there after the crash, or not.
        drop(bed.store.insert(new(&request(100 + n))));
        bed = bed.restarted(Restart::Crash).await;
        for m in 0..=n {
            let expected = if m % 2 == 0 {
                State::Completed
            } else {
                State::Running
            };
            let row = bed.get(id(m)).await;
            assert_eq!((row.state, row.calls_made), (expected, 1));
            assert_eq!(bed.calls(id(m)).await.len(), 1);
        }
    }
}
