//! The states a request has passed, read back.

use crate::fixture::*;
use smoother_core::lifecycle::Change;
use smoother_core::ports::Store;
use smoother_core::{Rev, State};

#[tokio::test]
async fn every_state_is_kept_with_its_version_whether_or_not_they_shared_a_commit() {
    let f = Fixture::new();
    assert!(f.store.events(id(1)).await.unwrap().is_empty());
    // These three in one commit, the next in another.
    drop(f.store.insert(new(&request(1))));
    drop(f.store.change(id(1), release(1)));
    f.claim(id(1), 1).await.unwrap();
    f.store
        .change(id(1), Change::Cancel { at: at(400) })
        .await
        .unwrap();
    f.insert(&request(2)).await.unwrap();
    let f = f.reopened();
    let events = f.store.events(id(1)).await.unwrap();
    let states: Vec<State> = events.iter().map(|event| event.state).collect();
    assert_eq!(
        states,
        [State::Queued, State::Released, State::Running, State::Cancelled]
    );
    let revs: Vec<Rev> = events.iter().map(|event| event.rev).collect();
    assert_eq!(revs[0], request(1).rev);
    assert!(revs.windows(2).all(|pair| pair[1] == pair[0].next()));
    assert_eq!(f.get(id(1)).await.rev, revs[3]);
    assert_eq!(f.store.events(id(2)).await.unwrap().len(), 1);
}
