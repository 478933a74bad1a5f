//! The lane queue and the dispatch queue as channels of one process: what was in them dies with it.

use super::fault::{Fate, Touched};
use super::process::{Condition, Process};
use smoother_core::ports::{Dispatch, LaneQueue, Pending, QueueError, Released};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, RequestId};
use std::collections::HashMap;
use std::future::{pending, ready};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const LANES: &str = "the lane queue";
const WORKERS: &str = "the dispatch queue";

/// One channel per lane.
#[derive(Debug)]
pub struct MemoryLanes {
    process: Process,
    lanes: HashMap<LaneId, UnboundedSender<Event>>,
}

impl MemoryLanes {
    pub(super) fn new(
        process: Process,
        lanes: impl IntoIterator<Item = LaneId>,
    ) -> (Self, HashMap<LaneId, UnboundedReceiver<Event>>) {
        let (mut senders, mut receivers) = (HashMap::new(), HashMap::new());
        for lane in lanes {
            let (sender, receiver) = unbounded_channel();
            senders.insert(lane.clone(), sender);
            receivers.insert(lane, receiver);
        }
        let lanes = Self {
            process,
            lanes: senders,
        };
        (lanes, receivers)
    }
}

impl LaneQueue for MemoryLanes {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        if self.process.condition() == Condition::Dead {
            return Box::pin(pending());
        }
        let Some(sender) = self.lanes.get(lane) else {
            return Box::pin(ready(Err(QueueError::UnknownLane(lane.clone()))));
        };
        let request = request_of(&event);
        let sent = post(&self.process, sender, event, Touched::LaneQueue, request, LANES);
        Box::pin(ready(sent))
    }
}

/// The channel to the workers.
#[derive(Debug)]
pub struct MemoryDispatch {
    process: Process,
    workers: UnboundedSender<Released>,
}

impl MemoryDispatch {
    pub(super) fn new(process: Process) -> (Self, UnboundedReceiver<Released>) {
        let (workers, receiver) = unbounded_channel();
        (Self { process, workers }, receiver)
    }
}

impl Dispatch for MemoryDispatch {
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        if self.process.condition() == Condition::Dead {
            return Box::pin(pending());
        }
        let mut sent = Ok(());
        for one in released {
            let request = Some(one.request);
            let outcome = post(
                &self.process,
                &self.workers,
                one,
                Touched::Dispatch,
                request,
                WORKERS,
            );
            // A batch is sent as far as it goes, as SQS does it; one failed entry fails the whole answer.
            sent = sent.and(outcome);
        }
        Box::pin(ready(sent))
    }
}

fn post<T: Clone + Send + 'static>(
    process: &Process,
    to: &UnboundedSender<T>,
    message: T,
    touched: Touched,
    request: Option<RequestId>,
    queue: &'static str,
) -> Result<(), QueueError> {
    let fate = process.world.fate(process.point(touched, request));
    let failed = || QueueError::Failed {
        queue,
        cause: "a fault was planned for it".to_owned(),
    };
    let put = |message| to.send(message).map_err(|_| QueueError::Closed(queue));
    match fate {
        Fate::Proceed => put(message),
        Fate::FailBefore => Err(failed()),
        Fate::FailAfter => put(message).and(Err(failed())),
        Fate::Duplicate => put(message.clone()).and_then(|()| put(message)),
        Fate::Lose => Ok(()),
        Fate::Delay(by) => {
            later(process.clone(), to.clone(), message, by);
            Ok(())
        }
    }
}

/// Delivers a message after others that were sent after it.
fn later<T: Send + 'static>(process: Process, to: UnboundedSender<T>, message: T, by: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep(by).await;
        if process.condition() != Condition::Dead {
            // Its reader may have gone in the meantime, as after a crash of its own.
            let _ = to.send(message);
        }
    });
}

pub(super) const fn request_of(event: &Event) -> Option<RequestId> {
    match event {
        Event::Arrived(waiting) => Some(waiting.id),
        Event::Left { request, .. }
        | Event::Started { request, .. }
        | Event::Ended { request, .. }
        | Event::Unclaimed { request, .. }
        | Event::Lapsed { request, .. }
        | Event::Void { request, .. } => Some(*request),
        _ => None,
    }
}
