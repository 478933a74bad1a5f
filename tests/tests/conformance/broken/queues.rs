//! Queues that keep no order.

use super::failed;
use crate::memory::queue_stand;
use smoother_core::LaneId;
use smoother_core::ports::{Dispatch, LaneQueue, Pending, QueueError, Released};
use smoother_core::scheduler::Event;
use smoother_tests::conformance::queues;
use std::sync::{Arc, Mutex};

/// Queues that let every second message pass the one before it.
struct Disorderly<Q, M> {
    queue: Q,
    held: Mutex<Option<M>>,
}

impl<Q, M> Disorderly<Q, M> {
    fn new(queue: Q) -> Self {
        Self {
            queue,
            held: Mutex::new(None),
        }
    }
}

impl LaneQueue for Disorderly<Arc<dyn LaneQueue>, (LaneId, Event)> {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        let mut held = self.held.lock().unwrap();
        match held.take() {
            None => {
                *held = Some((lane.clone(), event));
                Box::pin(async { Ok(()) })
            }
            Some((other, earlier)) => {
                drop(self.queue.send(lane, event));
                self.queue.send(&other, earlier)
            }
        }
    }
}

impl Dispatch for Disorderly<Arc<dyn Dispatch>, ()> {
    fn send(&self, mut released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        released.reverse();
        self.queue.send(released)
    }
}

#[tokio::test(start_paused = true)]
async fn queues_without_order_fail() {
    let failed = failed(queues::CASES, || {
        let stand = queue_stand();
        queues::Stand {
            lanes: Arc::new(Disorderly::new(stand.lanes)),
            dispatch: Arc::new(Disorderly::new(stand.dispatch)),
            ..stand
        }
    })
    .await;
    for made_for_it in [
        "events_of_one_request_keep_their_order",
        "released_requests_reach_the_workers",
    ] {
        assert!(failed.contains(&made_for_it), "{failed:?}");
    }
    assert!(!failed.contains(&"events_reach_their_own_lane"), "{failed:?}");
}
