//! The lane queue and the dispatch queue as channels of this process.
//!
//! They hold no state that matters: whatever was in them when the process ends is found again in the store.

use crate::lock;
use smoother_core::LaneId;
use smoother_core::ports::{Dispatch, LaneQueue, Pending, QueueError, Released};
use smoother_core::scheduler::Event;
use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One channel per lane, in the order of sending. Lanes may be added while others run.
#[derive(Debug)]
pub struct LaneChannels {
    lanes: RwLock<HashMap<LaneId, UnboundedSender<Event>>>,
    tapped: AtomicBool,
    taps: Mutex<Vec<UnboundedSender<(LaneId, Event)>>>,
}

impl LaneChannels {
    /// The channels and, for each lane, the end that its task reads.
    pub fn new(lanes: impl IntoIterator<Item = LaneId>) -> (Self, HashMap<LaneId, UnboundedReceiver<Event>>) {
        let channels = Self {
            lanes: RwLock::default(),
            tapped: AtomicBool::new(false),
            taps: Mutex::new(Vec::new()),
        };
        let receivers = lanes
            .into_iter()
            .map(|lane| {
                let receiver = channels.add(lane.clone());
                (lane, receiver)
            })
            .collect();
        (channels, receivers)
    }

    /// A channel for one lane more, and the end that its task reads. A lane that was there already gets a new one.
    pub fn add(&self, lane: LaneId) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded_channel();
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(lane, sender);
        receiver
    }

    /// A copy of every event that is sent from now on, for tests and traces.
    pub fn tap(&self) -> UnboundedReceiver<(LaneId, Event)> {
        let (sender, receiver) = unbounded_channel();
        lock(&self.taps).push(sender);
        self.tapped.store(true, Ordering::Release);
        receiver
    }

    fn push(&self, lane: &LaneId, event: Event) -> Result<(), QueueError> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let sender = lanes
            .get(lane)
            .ok_or_else(|| QueueError::UnknownLane(lane.clone()))?;
        if self.tapped.load(Ordering::Acquire) {
            lock(&self.taps).retain(|tap| tap.send((lane.clone(), event.clone())).is_ok());
        }
        sender
            .send(event)
            .map_err(|_| QueueError::Closed("the lane queue"))
    }
}

impl LaneQueue for LaneChannels {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        Box::pin(ready(self.push(lane, event)))
    }
}

/// The channel from the lanes' tasks to the workers.
#[derive(Debug)]
pub struct DispatchChannel(UnboundedSender<Released>);

impl DispatchChannel {
    /// The channel and the end that the workers read.
    pub fn new() -> (Self, UnboundedReceiver<Released>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }
}

impl Dispatch for DispatchChannel {
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        let sent = released.into_iter().try_for_each(|one| self.0.send(one));
        Box::pin(ready(sent.map_err(|_| QueueError::Closed("the dispatch queue"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoother_core::{CallNo, RequestId, Timestamp};

    fn lane(name: &str) -> LaneId {
        LaneId::new(name).unwrap()
    }

    #[tokio::test]
    async fn events_reach_their_lane_in_order_and_every_tap() {
        let (channels, mut ends) = LaneChannels::new([lane("a"), lane("b")]);
        channels.send(&lane("a"), Event::Tick).await.unwrap();
        let mut tap = channels.tap();
        let started = Event::Started {
            request: RequestId::from_bytes([7; 16]),
            call: CallNo::new(1),
            at: Timestamp::EPOCH,
        };
        channels.send(&lane("a"), started.clone()).await.unwrap();
        channels.send(&lane("b"), Event::Tick).await.unwrap();

        let mut a = ends.remove(&lane("a")).unwrap();
        assert_eq!(a.recv().await, Some(Event::Tick));
        assert_eq!(a.recv().await, Some(started.clone()));
        assert_eq!(ends.remove(&lane("b")).unwrap().recv().await, Some(Event::Tick));
        assert_eq!(tap.recv().await, Some((lane("a"), started)));
        assert_eq!(tap.recv().await, Some((lane("b"), Event::Tick)));
    }

    #[tokio::test]
    async fn a_lane_that_is_added_has_its_own_channel() {
        let (channels, mut ends) = LaneChannels::new([lane("a")]);
        let mut b = channels.add(lane("b"));
        channels.send(&lane("b"), Event::Tick).await.unwrap();
        assert_eq!(b.try_recv().ok(), Some(Event::Tick));
        assert!(ends.remove(&lane("a")).unwrap().try_recv().is_err());
    }

    #[tokio::test]
    async fn an_unknown_lane_and_a_closed_one_are_told_apart() {
        let (channels, ends) = LaneChannels::new([lane("a")]);
        let unknown = channels.send(&lane("z"), Event::Tick).await;
        assert_eq!(unknown, Err(QueueError::UnknownLane(lane("z"))));
        drop(ends);
        let closed = channels.send(&lane("a"), Event::Tick).await;
        assert!(matches!(closed, Err(QueueError::Closed(_))));
    }

    #[tokio::test]
    async fn released_requests_reach_the_workers_in_order() {
        let (dispatch, mut workers) = DispatchChannel::new();
        let released = |n| Released {
            request: RequestId::from_bytes([n; 16]),
            call: CallNo::new(1),
            lane: lane("a"),
            start_by: Timestamp::NEVER,
        };
        dispatch.send(vec![released(1), released(2)]).await.unwrap();
        assert_eq!(workers.recv().await, Some(released(1)));
        assert_eq!(workers.recv().await, Some(released(2)));
        drop(workers);
        assert!(dispatch.send(vec![released(3)]).await.is_err());
    }
}
