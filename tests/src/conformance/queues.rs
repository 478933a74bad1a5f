//! `LaneQueue` and `Dispatch`: what is sent arrives, and where it cannot, the sender is told.

use super::suite::cases;
use super::words::{at, id, lane};
use smoother_core::ports::{BoxFuture, Dispatch, LaneQueue, QueueError, Released};
use smoother_core::scheduler::{Event, Gone};
use smoother_core::{CallNo, LaneId, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Where messages come out.
pub trait Receives<T>: Send {
    /// The next one; `None` when no more can come.
    fn next(&mut self) -> BoxFuture<'_, Option<T>>;
}

impl<T: Send> Receives<T> for tokio::sync::mpsc::UnboundedReceiver<T> {
    fn next(&mut self) -> BoxFuture<'_, Option<T>> {
        Box::pin(self.recv())
    }
}

/// What the queues of an adapter promise beyond "at least once, in any order".
#[derive(Debug, Clone, Copy)]
pub struct Promises {
    /// Events of one request arrive in the order in which they were sent, each once.
    pub in_order_once: bool,
    /// A queue whose reader is gone refuses what is sent to it.
    pub refuses_when_closed: bool,
}

/// Fresh queues: the lanes are `a` and `b`.
pub struct Stand {
    /// Into the lanes.
    pub lanes: Arc<dyn LaneQueue>,
    /// Out of them.
    pub events: BTreeMap<LaneId, Box<dyn Receives<Event>>>,
    /// To the workers.
    pub dispatch: Arc<dyn Dispatch>,
    /// What the workers read.
    pub released: Box<dyn Receives<Released>>,
    /// What is promised.
    pub promises: Promises,
}

cases! { Stand;
    events_reach_their_own_lane,
    events_of_one_request_keep_their_order,
    events_of_many_senders_all_arrive,
    an_unknown_lane_is_named,
    released_requests_reach_the_workers,
    a_closed_queue_says_so,
}

fn started(n: u64, call: u32) -> Event {
    Event::Started {
        request: id(n),
        call: CallNo::new(call),
        at: at(n),
    }
}

fn released(n: u64) -> Released {
    Released {
        request: id(n),
        call: CallNo::new(1),
        lane: lane("a"),
        start_by: at(20_000),
    }
}

/// `count` different messages, each in the place of its first arrival; ends as soon as they are there.
async fn distinct<T: PartialEq>(from: &mut dyn Receives<T>, count: usize) -> Vec<T> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let next = from.next().await.expect("more is to come");
        if !seen.contains(&next) {
            seen.push(next);
        }
    }
    seen
}

async fn events_reach_their_own_lane(mut stand: Stand) {
    for n in 0..10 {
        let to = lane(if n % 2 == 0 { "a" } else { "b" });
        stand.lanes.send(&to, started(n, 1)).await.unwrap();
    }
    for (name, first) in [("a", 0), ("b", 1)] {
        let mut events = stand.events.remove(&lane(name)).unwrap();
        let mut seen: Vec<_> = distinct(&mut *events, 5).await.iter().map(request_of).collect();
        seen.sort();
        assert_eq!(seen, (0..5).map(|n| id(n * 2 + first)).collect::<Vec<_>>());
    }
}

fn request_of(event: &Event) -> RequestId {
    match event {
        Event::Started { request, .. } => *request,
        other => panic!("{other:?} was never sent"),
    }
}

async fn events_of_one_request_keep_their_order(mut stand: Stand) {
    let mut events = stand.events.remove(&lane("a")).unwrap();
    let left = Event::Left {
        request: id(0),
        why: Gone::Elsewhere,
    };
    let sent: Vec<_> = (1..=50).map(|call| started(0, call)).chain([left]).collect();
    for event in &sent {
        // Not waited for: beginning to send is what counts.
        drop(stand.lanes.send(&lane("a"), event.clone()));
    }
    if stand.promises.in_order_once {
        for event in sent {
            assert_eq!(events.next().await, Some(event));
        }
    } else {
        distinct(&mut *events, sent.len()).await;
    }
}

async fn events_of_many_senders_all_arrive(mut stand: Stand) {
    let mut senders = JoinSet::new();
    for n in 0..20 {
        let lanes = stand.lanes.clone();
        senders.spawn(async move {
            for call in 1..=20 {
                lanes.send(&lane("b"), started(n, call)).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    let mut events = stand.events.remove(&lane("b")).unwrap();
    let seen = distinct(&mut *events, 400).await;
    let mut last: BTreeMap<RequestId, CallNo> = BTreeMap::new();
    for event in seen {
        let Event::Started { request, call, .. } = event else {
            panic!("{event:?} was never sent")
        };
        let before = last.insert(request, call);
        if stand.promises.in_order_once {
            assert_eq!(before.unwrap_or(CallNo::NONE).next(), call);
        }
    }
    assert_eq!(last.len(), 20);
}

async fn an_unknown_lane_is_named(stand: Stand) {
    let refused = stand.lanes.send(&lane("z"), Event::Tick).await;
    assert_eq!(refused, Err(QueueError::UnknownLane(lane("z"))));
}

async fn released_requests_reach_the_workers(mut stand: Stand) {
    stand.dispatch.send(Vec::new()).await.unwrap();
    stand
        .dispatch
        .send((0..30).map(released).collect())
        .await
        .unwrap();
    stand.dispatch.send(vec![released(30)]).await.unwrap();
    let seen = distinct(&mut *stand.released, 31).await;
    if stand.promises.in_order_once {
        assert_eq!(seen, (0..31).map(released).collect::<Vec<_>>());
    }
    let ids: BTreeSet<_> = seen.iter().map(|one| one.request).collect();
    assert_eq!(ids, (0..31).map(id).collect());
    assert!(seen.iter().all(|one| released(0).start_by == one.start_by));
}

async fn a_closed_queue_says_so(stand: Stand) {
    if !stand.promises.refuses_when_closed {
        return;
    }
    drop(stand.events);
    drop(stand.released);
    let closed = stand.lanes.send(&lane("a"), Event::Tick).await;
    assert!(matches!(closed, Err(QueueError::Closed(_))), "{closed:?}");
    let closed = stand.dispatch.send(vec![released(1)]).await;
    assert!(matches!(closed, Err(QueueError::Closed(_))), "{closed:?}");
}
