//! Who is asked and called, in memory.

use super::*;
use futures_util::future::join_all;
use smoother_core::Timestamp;
use smoother_core::hold::Epoch;
use std::sync::Mutex as SyncMutex;

#[derive(Default)]
struct World {
    now: AtomicU64,
    lease: SyncMutex<Option<Lease>>,
    unreadable: SyncMutex<bool>,
    reads: AtomicU64,
    calls: AtomicU64,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }
}

impl Leases for World {
    fn lease<'a>(&'a self, _: &'a LaneId) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let lease = self.lease.lock().unwrap().clone();
        let unreadable = *self.unreadable.lock().unwrap();
        Box::pin(async move {
            tokio::task::yield_now().await;
            if unreadable {
                return Err(StoreError::Failed("no answer".to_owned()));
            }
            Ok(lease)
        })
    }
}

impl Caller for World {
    fn call<'a>(&'a self, _: &'a LaneId) -> BoxFuture<'a, Result<(), String>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn lane() -> LaneId {
    LaneId::new("sonnet").unwrap()
}

fn awake_until(ms: u64) -> Lease {
    Lease {
        owner: "somebody".to_owned(),
        epoch: Epoch::new(1),
        expires: Timestamp::from_millis(ms + 5_000),
        awake_until: Timestamp::from_millis(ms),
    }
}

fn world(now: u64, promise: u64) -> (Arc<World>, Waker) {
    let world = Arc::new(World::default());
    world.now.store(now, Ordering::Relaxed);
    *world.lease.lock().unwrap() = Some(awake_until(promise));
    let waker = Waker::new([lane()], world.clone(), world.clone(), world.clone());
    (world, waker)
}

fn counts(world: &World) -> (u64, u64) {
    (
        world.reads.load(Ordering::Relaxed),
        world.calls.load(Ordering::Relaxed),
    )
}

#[tokio::test]
async fn a_promise_is_read_once_and_serves_until_it_has_passed() {
    let (world, waker) = world(100_000, 105_000);
    for _ in 0..3 {
        waker.told(&lane()).await;
    }
    assert_eq!(counts(&world), (1, 0));
    // Within the skew of its end it may have passed for its holder.
    world.now.store(103_000, Ordering::Relaxed);
    *world.lease.lock().unwrap() = Some(awake_until(110_000));
    waker.told(&lane()).await;
    assert_eq!(counts(&world), (2, 0));
}

#[tokio::test]
async fn nobody_awake_means_a_call_for_each_look() {
    let (world, waker) = world(100_000, 101_000);
    waker.told(&lane()).await;
    waker.told(&lane()).await;
    assert_eq!(counts(&world), (2, 2));
}

#[tokio::test]
async fn a_promise_that_no_holder_makes_is_not_believed() {
    let (world, waker) = world(100_000, 400_000);
    waker.told(&lane()).await;
    assert_eq!(counts(&world), (1, 1));
}

#[tokio::test]
async fn events_told_at_once_share_a_look_that_begins_after_them() {
    let (world, waker) = world(100_000, 0);
    let lane = lane();
    join_all((0..50).map(|_| waker.told(&lane))).await;
    let (reads, calls) = counts(&world);
    assert_eq!(reads, calls);
    assert!(
        (1..=2).contains(&calls),
        "{calls} calls for 50 events told at once"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_called_all_the_same() {
    let (world, waker) = world(100_000, 110_000);
    *world.unreadable.lock().unwrap() = true;
    waker.told(&lane()).await;
    assert_eq!(counts(&world), (1, 1));
}
