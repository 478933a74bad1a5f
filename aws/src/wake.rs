//! Whoever tells a lane something makes sure that somebody listens.
//!
//! The holder of a lane promises until when it is awake: before that moment has passed it does not stop reading the
//! lane's queue, and after it has passed it polls once more before it leaves. So the order is the whole protocol:
//!
//! 1. The event is durably in the lane's queue.
//! 2. Then the promise is looked at. A remembered one serves as well as a fresh one, because a promise is never taken
//!    back.
//! 3. If it has passed, the prioritizer is invoked. Invoked for nothing it loses the race for the lease and goes.
//!
//! What a lease says of its holder is core's to judge ([`find`]): clocks may differ, so a promise that ends within their
//! difference counts as passed, and one that no holder makes counts for nothing. A crash of the holder leaves its promise
//! standing and the lane unread; the schedule of one minute is for that.

use crate::fault::{Asked, Fault};
use crate::retry::Patience;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::json;
use smoother_core::hold::{Finding, Lease, find};
use smoother_core::ports::{BoxFuture, Clock, Entropy, Hold, StoreError};
use smoother_core::{LaneId, Millis};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// For functions.
pub fn client(environment: &SdkConfig) -> Client {
    Client::new(environment)
}

/// Hears that a lane was told something.
pub trait Wake: Send + Sync {
    /// An event of this lane is durably in its queue. Resolves once its holder is known to be awake, or was called.
    fn told<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, ()>;
}

/// Reads a lane's lease, and with it its holder's promise.
pub trait Leases: Send + Sync {
    /// As it is stored now; `None` where nobody ever held the lane.
    fn lease<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<Lease>, StoreError>>;
}

impl<T: Hold + ?Sized> Leases for T {
    fn lease<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        Hold::lease(self, lane)
    }
}

/// Calls the prioritizer.
pub trait Caller: Send + Sync {
    /// Asks for somebody to hold this lane; does not wait for it.
    fn call<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<(), String>>;
}

/// [`Wake`] by promise.
pub struct Waker {
    leases: Arc<dyn Leases>,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    lanes: BTreeMap<LaneId, Lane>,
}

#[derive(Default)]
struct Lane {
    /// How many events were told.
    told: AtomicU64,
    looked: Mutex<Looked>,
}

#[derive(Default)]
struct Looked {
    /// Events up to this one were told before the last look began.
    covers: u64,
    lease: Option<Lease>,
}

impl Waker {
    /// For these lanes.
    pub fn new(
        lanes: impl IntoIterator<Item = LaneId>,
        leases: Arc<dyn Leases>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            leases,
            caller,
            clock,
            lanes: lanes.into_iter().map(|lane| (lane, Lane::default())).collect(),
        }
    }

    fn is_awake(&self, lease: Option<&Lease>) -> bool {
        find(self.clock.now(), lease, Millis::ZERO) == Finding::Awake
    }

    async fn look(&self, id: &LaneId, lane: &Lane) {
        let mine = lane.told.fetch_add(1, Ordering::Relaxed) + 1;
        let mut looked = lane.looked.lock().await;
        // Whoever looked while this one waited began after this one's event was in the queue.
        if looked.covers >= mine || self.is_awake(looked.lease.as_ref()) {
            return;
        }
        looked.covers = lane.told.load(Ordering::Relaxed);
        match self.leases.lease(id).await {
            Ok(lease) => looked.lease = lease,
            Err(error) => tracing::warn!(lane = %id, %error, "whether its holder is awake could not be read"),
        }
        if self.is_awake(looked.lease.as_ref()) {
            return;
        }
        match self.caller.call(id).await {
            Ok(()) => tracing::debug!(lane = %id, "the prioritizer was called"),
            Err(error) => {
                tracing::warn!(lane = %id, error, "the prioritizer could not be called; its schedule finds the lane");
            }
        }
    }
}

impl Wake for Waker {
    fn told<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(state) = self.lanes.get(lane) {
                self.look(lane, state).await;
            }
        })
    }
}

/// The prioritizer function, invoked asynchronously with `{"lane": "…"}`.
#[derive(Clone)]
pub struct Prioritizer {
    client: Client,
    function: String,
    chance: Arc<dyn Entropy>,
}

impl Prioritizer {
    /// By the function's name or ARN.
    pub fn new(client: Client, function: impl Into<String>, chance: Arc<dyn Entropy>) -> Self {
        Self {
            client,
            function: function.into(),
            chance,
        }
    }

    async fn invoke(&self, payload: Blob) -> Result<(), Fault> {
        let asked = Asked {
            action: "lambda:InvokeFunction",
            kind: "function",
            name: &self.function,
        };
        self.client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .payload(payload)
            .send()
            .await
            .map(drop)
            .map_err(|error| asked.failed(&error))
    }
}

impl Caller for Prioritizer {
    fn call<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<(), String>> {
        let payload = Blob::new(json!({ "lane": lane }).to_string());
        Box::pin(async move {
            Patience::default()
                .ask(&*self.chance, || self.invoke(payload.clone()))
                .await
                .map_err(|fault| fault.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
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
}
