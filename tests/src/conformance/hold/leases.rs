//! One lane, one lease: of many who take it one has it, and only that one renews it.

use super::{Stand, sonnet};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, lane};
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::HoldError;
use tokio::task::JoinSet;

cases! { Stand;
    nobody_has_a_lane_that_was_never_taken,
    a_lease_reads_back_as_it_was_taken,
    of_many_who_take_it_one_has_it,
    a_lease_is_taken_only_over_the_one_that_was_seen,
    only_its_holder_renews_it,
    a_lease_given_back_keeps_its_number,
    lanes_have_leases_of_their_own,
}

async fn nobody_has_a_lane_that_was_never_taken(stand: Stand) {
    assert_eq!(stand.hold.lease(&sonnet()).await.unwrap(), None);
    let nobodys = Lease::taken("a", at(0), None);
    let renewed = stand.hold.renew(&sonnet(), nobodys).await;
    assert!(matches!(renewed, Err(HoldError::Stale { .. })), "{renewed:?}");
}

async fn a_lease_reads_back_as_it_was_taken(stand: Stand) {
    let lease = stand.take("a", 0).await;
    assert_eq!(stand.hold.lease(&sonnet()).await.unwrap(), Some(lease.clone()));
    let renewed = lease.renewed(at(5_000), true);
    stand.hold.renew(&sonnet(), renewed.clone()).await.unwrap();
    assert_eq!(stand.hold.lease(&sonnet()).await.unwrap(), Some(renewed));
}

async fn of_many_who_take_it_one_has_it(stand: Stand) {
    for round in 0..3u64 {
        let found = stand.hold.lease(&sonnet()).await.unwrap();
        let mut takers = JoinSet::new();
        for number in 0..8 {
            let (hold, found) = (stand.hold.clone(), found.clone());
            let owner = format!("{round}.{number}");
            let lease = Lease::taken(&owner, at(round), found.as_ref());
            takers.spawn(async move {
                hold.take(&sonnet(), lease.clone(), found)
                    .await
                    .unwrap()
                    .then_some(lease)
            });
        }
        let won: Vec<Lease> = takers.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].epoch, Epoch::new(round + 1));
        assert_eq!(stand.hold.lease(&sonnet()).await.unwrap(), won.into_iter().next());
    }
}

async fn a_lease_is_taken_only_over_the_one_that_was_seen(stand: Stand) {
    let first = stand.take("a", 0).await;
    let mine = Lease::taken("b", at(9), Some(&first));
    let hold = &stand.hold;
    assert!(!hold.take(&sonnet(), mine.clone(), None).await.unwrap());
    // Renewed since it was seen: its holder lives.
    let renewed = first.renewed(at(5_000), true);
    hold.renew(&sonnet(), renewed.clone()).await.unwrap();
    assert!(!hold.take(&sonnet(), mine.clone(), Some(first)).await.unwrap());
    assert_eq!(hold.lease(&sonnet()).await.unwrap(), Some(renewed.clone()));
    assert!(hold.take(&sonnet(), mine, Some(renewed)).await.unwrap());
}

async fn only_its_holder_renews_it(stand: Stand) {
    let first = stand.take("a", 0).await;
    let second = stand.take("b", 20_000).await;
    let late = stand.hold.renew(&sonnet(), first.renewed(at(20_001), true)).await;
    let stale = HoldError::Stale {
        lane: sonnet(),
        epoch: first.epoch,
    };
    assert_eq!(late, Err(stale));
    let other = Lease {
        owner: "c".to_owned(),
        ..second.clone()
    };
    assert!(stand.hold.renew(&sonnet(), other).await.is_err());
    assert_eq!(stand.hold.lease(&sonnet()).await.unwrap(), Some(second));
}

async fn a_lease_given_back_keeps_its_number(stand: Stand) {
    let first = stand.take("a", 0).await;
    stand.hold.renew(&sonnet(), first.given_back()).await.unwrap();
    let found = stand.hold.lease(&sonnet()).await.unwrap().unwrap();
    assert_eq!(found, first.given_back());
    assert_eq!(stand.take("b", 1).await.epoch, Epoch::new(2));
}

async fn lanes_have_leases_of_their_own(stand: Stand) {
    stand.take("a", 0).await;
    assert_eq!(stand.hold.lease(&lane("nova")).await.unwrap(), None);
}
