//! Many writers at once, of whose writes memory can judge some and the database must judge others.

use crate::fixture::*;
use smoother_core::lifecycle::State;
use smoother_core::ports::{ChangeError, Inserted, NewRequest, PayloadRef, Store, StoreError};
use smoother_core::{Request, RequestId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const WRITERS: u64 = 8;
const EACH: u64 = 150;

/// What one writer was told last: how far its request came for certain.
type Told = (RequestId, Option<State>);

fn heavy(request: &Request) -> NewRequest {
    NewRequest {
        request: request.clone(),
        body: PayloadRef::Inline(vec![9; 4_000].into()),
    }
}

/// Every other request has an id made of a key.
fn numbered(n: u64) -> Request {
    let mut row = request(n);
    if n.is_multiple_of(2) {
        row.id = RequestId::keyed(&row.tenant, &n.to_string());
    }
    row
}

async fn write(store: &impl Store, n: u64) -> Told {
    let row = numbered(n);
    let inserted = store.insert(heavy(&row));
    let released = store.change(row.id, release(1));
    let (inserted, released) = (inserted.await, released.await);
    match (inserted, released) {
        (Ok(inserted), released) => {
            assert!(matches!(inserted, Inserted::Fresh), "{n}");
            if let Err(error) = released {
                assert!(full(&error), "{n}: {error}");
                return (row.id, Some(State::Queued));
            }
        }
        (Err(why), released) => {
            assert!(matches!(why, StoreError::Full(_)), "{n}: {why}");
            assert!(released.is_err(), "{n}: released, and never stored");
            return (row.id, None);
        }
    }
    match store.change(row.id, claim(1)).await {
        Ok(_) => (row.id, Some(State::Running)),
        Err(error) => {
            assert!(full(&error), "{n}: {error}");
            (row.id, Some(State::Released))
        }
    }
}

fn full(error: &ChangeError) -> bool {
    matches!(error, ChangeError::Store(StoreError::Full(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_writer_was_told_is_what_is_stored_with_room_and_without() {
    for max_bytes in [None, Some(3_000_000)] {
        let f = Fixture::with(|options| options.max_bytes = max_bytes);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&f.store);
                tokio::spawn(async move {
                    let mut told = Vec::new();
                    for n in writer * EACH..(writer + 1) * EACH {
                        told.push(write(store.as_ref(), n).await);
                    }
                    told
                })
            })
            .collect();
        let mut told = Vec::new();
        for writer in writers {
            told.extend(writer.await.unwrap());
        }
        let refused = told.iter().filter(|(_, state)| state.is_none()).count();
        assert_eq!(refused > 0, max_bytes.is_some(), "{refused} refused");
        let f = f.reopened();
        for (id, state) in told {
            let stored = f.store.get(id).await.unwrap().map(|row| row.state);
            assert_eq!(stored, state, "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_with_one_id_one_is_fresh() {
    for f in [Fixture::new(), Fixture::relaxed()] {
        let fresh = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (store, fresh) = (Arc::clone(&f.store), Arc::clone(&fresh));
                tokio::spawn(async move {
                    for n in 0..EACH {
                        match store.insert(new(&numbered(n))).await.unwrap() {
                            Inserted::Fresh => _ = fresh.fetch_add(1, Ordering::Relaxed),
                            Inserted::Same(row) => assert_eq!(row.id, numbered(n).id),
                            Inserted::Conflict => panic!("{n} has one body"),
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(fresh.load(Ordering::Relaxed), EACH);
    }
}
