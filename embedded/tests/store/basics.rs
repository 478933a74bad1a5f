//! Each write and read of the port, alone and by many at once.

use crate::fixture::*;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::{Change, Refused, State};
use smoother_core::ports::{ChangeError, Inserted, PayloadKind, Payloads, Store};
use smoother_core::{CallNo, Door, Tokens};
use std::sync::Arc;

#[tokio::test]
async fn a_request_lives_from_insert_to_result() {
    let f = Fixture::new();
    let row = request(1);
    assert!(matches!(f.insert(&row).await.unwrap(), Inserted::Fresh));
    assert_eq!(f.get(row.id).await, row);

    let released = f.release(row.id, 1).await.unwrap();
    assert_eq!(released.state, State::Released);
    let claimed = f.claim(row.id, 1).await.unwrap();
    assert_eq!((claimed.state, claimed.calls_made), (State::Running, 1));
    assert_eq!(f.get(row.id).await, claimed);
    let open = f.store.calls(row.id).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].charge(), Tokens::new(110));

    let ended = f.complete(row.id, 1, b"answer").await.request.unwrap();
    assert_eq!(ended.state, State::Completed);
    assert_eq!(f.get(row.id).await, ended);
    let calls = f.store.calls(row.id).await.unwrap();
    assert_eq!(calls[0].charge(), Tokens::new(70));
    let result = f.store.fetch(row.id, PayloadKind::Result).await.unwrap();
    assert_eq!(result.unwrap(), "answer");
}

#[tokio::test]
async fn an_id_joins_its_own_body_and_refuses_another() {
    let f = Fixture::new();
    let row = request(1);
    f.insert(&row).await.unwrap();
    f.release(row.id, 1).await.unwrap();
    let Inserted::Same(known) = f.insert(&row).await.unwrap() else {
        panic!("the same body joins");
    };
    assert_eq!(known.state, State::Released);

    let mut other = request(1);
    other.body_hash = [2; 32];
    let mut conflicting = new(&other);
    conflicting.body = smoother_core::ports::PayloadRef::Inline("another body".into());
    assert!(matches!(
        f.store.insert(conflicting).await.unwrap(),
        Inserted::Conflict
    ));
    let body = f.store.fetch(row.id, PayloadKind::Body).await.unwrap().unwrap();
    assert_eq!(body, format!("body of {}", row.id));

    // The same once it has ended and left the writer's memory.
    f.store
        .change(row.id, Change::Cancel { at: at(9) })
        .await
        .unwrap();
    assert!(
        matches!(f.insert(&row).await.unwrap(), Inserted::Same(known) if known.state == State::Cancelled)
    );
}

#[tokio::test]
async fn refusals_and_unknown_ids_change_nothing() {
    let f = Fixture::new();
    let row = request(1);
    f.insert(&row).await.unwrap();
    let refused = f.claim(row.id, 1).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Refused(Refused::State { .. })));
    assert_eq!(f.get(row.id).await, row);
    assert_eq!(
        f.release(id(9), 1).await.unwrap_err(),
        ChangeError::NotFound(id(9))
    );
    assert_eq!(f.store.get(id(9)).await.unwrap(), None);
    assert_eq!(f.store.fetch(id(9), PayloadKind::Body).await.unwrap(), None);
    assert_eq!(f.store.fetch(row.id, PayloadKind::Result).await.unwrap(), None);
    let unknown = settlement(1, CallEnding::Failed, 0);
    let report = f.store.end(id(9), unknown, None, None).await.unwrap();
    assert_eq!(report.request, Err(ChangeError::NotFound(id(9))));
}

#[tokio::test]
async fn a_settlement_stands_though_its_change_is_refused_and_the_first_one_wins() {
    let f = Fixture::new();
    let row = request(1);
    f.insert(&row).await.unwrap();
    f.release(row.id, 1).await.unwrap();
    f.claim(row.id, 1).await.unwrap();
    f.store
        .change(row.id, Change::Cancel { at: at(250) })
        .await
        .unwrap();

    let report = f.complete(row.id, 1, b"answer").await;
    assert!(matches!(report.request, Err(ChangeError::Refused(_))));
    assert_eq!(f.get(row.id).await.state, State::Cancelled);
    assert_eq!(f.store.fetch(row.id, PayloadKind::Result).await.unwrap(), None);
    assert_eq!(f.store.calls(row.id).await.unwrap()[0].charge(), Tokens::new(70));

    let again = settlement(1, CallEnding::Aborted, 5);
    let report = f.store.end(row.id, again, None, None).await.unwrap();
    assert_eq!(report.request.unwrap().state, State::Cancelled);
    let calls = f.store.calls(row.id).await.unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].charge(), Tokens::new(70));
}

#[tokio::test]
async fn an_older_call_settles_while_a_newer_one_runs() {
    let f = Fixture::new();
    let row = request(1);
    f.insert(&row).await.unwrap();
    f.release(row.id, 1).await.unwrap();
    f.claim(row.id, 1).await.unwrap();
    f.store.change(row.id, requeue(1)).await.unwrap();
    f.release(row.id, 2).await.unwrap();
    f.claim(row.id, 2).await.unwrap();
    let late = settlement(1, CallEnding::Failed, 3);
    f.store.end(row.id, late, None, None).await.unwrap();
    let report = f.complete(row.id, 2, b"second").await;
    assert_eq!(report.request.unwrap().tries, 1);
    let charges: Vec<_> = f
        .store
        .calls(row.id)
        .await
        .unwrap()
        .iter()
        .map(|c| c.charge())
        .collect();
    assert_eq!(charges, [Tokens::new(3), Tokens::new(70)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_call_number_is_claimed_once_whoever_asks() {
    let f = Fixture::new();
    let mut claims = tokio::task::JoinSet::new();
    for n in 0..100 {
        let row = request(n);
        let inserted = f.store.insert(new(&row));
        let released = f.store.change(row.id, release(1));
        for _ in 0..4 {
            let store = Arc::clone(&f.store);
            let id = row.id;
            claims.spawn(async move { store.change(id, claim(1)).await.is_ok() });
        }
        claims.spawn(async move { inserted.await.is_err() || released.await.is_err() });
    }
    let won = claims.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 100);
    for n in 0..100 {
        let row = f.get(id(n)).await;
        assert_eq!((row.calls_made, row.call), (1, CallNo::new(1)));
        assert_eq!(f.store.calls(id(n)).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_can_be_read() {
    for f in [Fixture::new(), Fixture::relaxed()] {
        for n in 0..50 {
            let mut row = request(n);
            row.door = if n % 2 == 0 { Door::Sync } else { Door::Job };
            f.insert(&row).await.unwrap();
            assert_eq!(f.get(row.id).await.state, State::Queued);
            f.release(row.id, 1).await.unwrap();
            f.claim(row.id, 1).await.unwrap();
            assert_eq!(f.store.calls(row.id).await.unwrap().len(), 1);
            f.complete(row.id, 1, b"answer").await;
            let result = f.store.fetch(row.id, PayloadKind::Result).await.unwrap();
            assert_eq!(result.unwrap(), "answer");
            assert_eq!(f.get(row.id).await.state, State::Completed);
        }
    }
}
