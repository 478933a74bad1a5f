//! Whose a row is: jobs that join a synchronous caller's, and callers who cannot come back.

use crate::fixture::*;
use smoother_core::Timestamp;
use smoother_core::lifecycle::{Change, Refused, State};
use smoother_core::ports::{ChangeError, Store};
use smoother_core::request::{Door, OnDisconnect};

const JOB: Change = Change::Join {
    door: Door::Job,
    on_disconnect: OnDisconnect::Finish,
};

#[tokio::test]
async fn a_job_that_joins_waits_for_its_commit_even_when_relaxed() {
    let f = Fixture::relaxed();
    for n in 0..10 {
        f.insert(&request(n)).await.unwrap();
        f.store.change(id(n), JOB).await.unwrap();
        let row = f.crashed().get(id(n)).await;
        assert_eq!((row.door, row.on_disconnect), (Door::Job, OnDisconnect::Finish));
        let refused = f.store.change(id(n), Change::Abandon { at: at(9) }).await;
        assert_eq!(refused, Err(ChangeError::Refused(Refused::Kept)));
    }
}

#[tokio::test]
async fn who_cannot_come_back_is_not_called_for_after_a_restart() {
    let f = Fixture::new();
    for n in 1..=6 {
        let mut row = request(n);
        if n <= 3 {
            row.on_disconnect = OnDisconnect::CancelAtOnce;
        }
        f.insert(&row).await.unwrap();
        if n % 3 != 1 {
            f.release(id(n), 1).await.unwrap();
        }
        if n % 3 == 0 {
            f.claim(id(n), 1).await.unwrap();
        }
    }
    let f = f.reopened();
    let found = f.store.recover(&lane("sonnet"), Timestamp::EPOCH).await.unwrap();
    let waiting: Vec<_> = found.waiting.iter().map(|row| row.id).collect();
    assert_eq!(waiting, [id(4), id(5), id(6)]);
    for n in 1..=3 {
        assert_eq!(f.get(id(n)).await.state, State::Cancelled, "{n}");
    }
    assert_eq!(found.calls.len(), 2, "what was sent is charged all the same");
}
